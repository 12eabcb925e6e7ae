using System.Collections;
using System.Globalization;
using System.Net;

namespace Mesh.Runtime;

/// <summary>Reads settings from the environment, collects every mistake, and remembers what was asked for.</summary>
/// <remarks>
/// One instance per start, one thread. A wrong value never ends the reading: the default stands in, the error is kept, and
/// <see cref="ThrowIfInvalid"/> reports all of them together, so that a person corrects a deployment once and not seven times.
/// </remarks>
public sealed class EnvironmentSettings
{
    private readonly IReadOnlyDictionary<string, string> _values;
    private readonly List<string> _errors = [];
    private readonly SortedDictionary<string, string> _effective = new(StringComparer.Ordinal);

    public EnvironmentSettings(IReadOnlyDictionary<string, string> values) => _values = values;

    public IReadOnlyList<string> Errors => _errors;

    /// <summary>Name and effective value of everything that was read, secrets left out; printed at start.</summary>
    public IReadOnlyDictionary<string, string> Effective => _effective;

    public static EnvironmentSettings FromProcess()
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
            values[(string)entry.Key] = (string?)entry.Value ?? string.Empty;
        return new EnvironmentSettings(values);
    }

    /// <summary>The text as it is; an empty value counts as given.</summary>
    public string? Text(string name) => Note(name, _values.GetValueOrDefault(name));

    public string Text(string name, string defaultValue) => Note(name, _values.GetValueOrDefault(name) ?? defaultValue)!;

    /// <summary>Like <see cref="Text(string)"/>, but never printed.</summary>
    public string? Secret(string name)
    {
        var value = _values.GetValueOrDefault(name);
        if (value is not null)
            Note(name, "<redacted>");
        return value;
    }

    public string Required(string name, string whatFor)
    {
        if (Text(name) is { Length: > 0 } value)
            return value;
        Fail($"{name} is not set: {whatFor}");
        return string.Empty;
    }

    /// <summary>Only "true" and "false"; "1" or "yes" is a mistake that must not silently mean no.</summary>
    public bool Boolean(string name, bool defaultValue) =>
        Read(name, defaultValue, "true or false", static (string text, out bool value) => (value = text == "true") || text == "false");

    public TimeSpan Duration(string name, TimeSpan defaultValue) =>
        Read(name, defaultValue, "a duration such as 100ms, 5s, 10m or 24h", static (string text, out TimeSpan value) => DurationText.TryParse(text, out value));

    public TimeSpan? OptionalDuration(string name) => _values.ContainsKey(name) ? Duration(name, TimeSpan.Zero) : null;

    public int Integer(string name, int defaultValue, int minimum = 0, int maximum = int.MaxValue) =>
        Read(
            name,
            defaultValue,
            maximum == int.MaxValue ? $"a whole number, at least {minimum}" : $"a whole number from {minimum} to {maximum}",
            (string text, out int value) => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value) && value >= minimum && value <= maximum);

    public int? OptionalInteger(string name, int minimum = 0, int maximum = int.MaxValue) =>
        _values.ContainsKey(name) ? Integer(name, minimum, minimum, maximum) : null;

    /// <summary>"198.18.0.2:15012" or "[::]:15021".</summary>
    public IPEndPoint EndPoint(string name, IPEndPoint defaultValue) =>
        Read(name, defaultValue, "an address with port such as 127.0.0.1:15000 or [::]:15020", static (string text, out IPEndPoint value) =>
            IPEndPoint.TryParse(text, out value!) && HasPort(text));

    // IPEndPoint also takes a bare address as one with port 0, IPv6 without brackets included.
    private static bool HasPort(string text) => text.StartsWith('[') ? text.Contains("]:", StringComparison.Ordinal) : text.Count(c => c == ':') == 1;

    /// <summary>A value out of a closed set, spelled exactly.</summary>
    public T Choice<T>(string name, T defaultValue, params ReadOnlySpan<(string Text, T Value)> choices)
    {
        if (Text(name) is not { } text)
        {
            Note(name, defaultValue?.ToString());
            return defaultValue;
        }

        var known = new List<string>();
        foreach (var choice in choices)
        {
            if (choice.Text == text)
                return choice.Value;
            known.Add(choice.Text);
        }

        Fail($"{name} is '{text}'; it must be one of {string.Join(", ", known)}");
        return defaultValue;
    }

    /// <summary>CPU amounts as Kubernetes writes them ("250m", "2", "1.5"), rounded up to whole processors.</summary>
    public int? Processors(string name)
    {
        if (!_values.ContainsKey(name))
            return null;
        return Read(name, 0, "a processor amount such as 250m, 2 or 1.5", static (string text, out int value) =>
        {
            var milli = text.EndsWith('m');
            var valid = decimal.TryParse(milli ? text[..^1] : text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount) && amount < 1_000_000;
            value = valid ? (int)Math.Ceiling(milli ? amount / 1000 : amount) : 0;
            return valid;
        });
    }

    /// <summary>Every variable with the prefix, prefix cut off, ordered by name ("ISTIO_META_", "XDS_HEADER_").</summary>
    public IReadOnlyList<(string Key, string Value)> Prefixed(string prefix) =>
    [
        .. _values.Where(v => v.Key.StartsWith(prefix, StringComparison.Ordinal) && v.Key.Length > prefix.Length)
            .OrderBy(v => v.Key, StringComparer.Ordinal)
            .Select(v => (v.Key[prefix.Length..], v.Value)),
    ];

    /// <summary>Adds a mistake found by the caller, e.g. two settings that exclude each other.</summary>
    public void Fail(string message) => _errors.Add(message);

    public void ThrowIfInvalid()
    {
        if (_errors.Count > 0)
            throw new SettingsException(_errors);
    }

    private T Read<T>(string name, T defaultValue, string expected, Parser<T> parse)
    {
        if (!_values.TryGetValue(name, out var text))
        {
            Note(name, Printable(defaultValue));
            return defaultValue;
        }

        Note(name, text);
        if (parse(text, out var value))
            return value;
        Fail($"{name} is '{text}'; it must be {expected}");
        return defaultValue;
    }

    private string? Note(string name, string? value)
    {
        if (value is not null)
            _effective[name] = value;
        return value;
    }

    private static string Printable<T>(T value) => value switch
    {
        bool b => b ? "true" : "false",
        TimeSpan t => DurationText.Format(t),
        null => string.Empty,
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? string.Empty,
    };

    private delegate bool Parser<T>(string text, out T value);
}

/// <summary>One or more settings are wrong; the process ends with <see cref="ExitCodes.Usage"/> before it binds anything.</summary>
public sealed class SettingsException(IReadOnlyList<string> errors) : Exception(string.Join(Environment.NewLine, errors))
{
    public IReadOnlyList<string> Errors { get; } = errors;
}
