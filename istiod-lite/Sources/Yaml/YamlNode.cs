using System.Globalization;

namespace Mesh.IstiodLite.Sources.Yaml;

/// <summary>A node of a YAML document with the place it was written at. Aliases share their node, so a document is a DAG.</summary>
/// <param name="Line">1-based line in the file.</param>
/// <param name="Weight">Number of nodes after expansion of all aliases; bounds what any walk over the document can cost.</param>
internal abstract record YamlNode(int Line, long Weight)
{
    public abstract string Shape { get; }
}

internal sealed record YamlScalar(string Text, bool IsPlain, int Line) : YamlNode(Line, 1)
{
    /// <summary>YAML's core schema: only an unquoted null is null.</summary>
    public bool IsNull => IsPlain && (Text is "" or "~" or "null" or "Null" or "NULL");

    /// <summary>What an unquoted word means where Kubernetes reads it (YAML 1.1, as its own libraries do).</summary>
    public bool? Bool => !IsPlain ? null : Text switch
    {
        "true" or "True" or "TRUE" or "yes" or "Yes" or "YES" or "on" or "On" or "ON" => true,
        "false" or "False" or "FALSE" or "no" or "No" or "NO" or "off" or "Off" or "OFF" => false,
        _ => null,
    };

    /// <summary>True for what Kubernetes refuses in a text field: it is a number or a boolean until somebody writes quotes.</summary>
    public bool IsNumberOrBool => IsPlain && (Bool is not null || IsNumber(Text));

    public override string Shape => IsNull ? "nothing" : $"\"{Printable(Text.Length > 40 ? Text[..40] + "..." : Text)}\"";

    /// <summary>Somebody named a file that is no text: a terminal must survive it, and show it.</summary>
    private static string Printable(string text) => string.Concat(text.Select(c => char.IsControl(c) ? $"\\u{(int)c:x4}" : c.ToString()));

    private static bool IsNumber(string text)
    {
        var digits = text.AsSpan().TrimStart("+-");
        if (digits.IsEmpty || text.Length - digits.Length > 1 || !(char.IsAsciiDigit(digits[0]) || (digits[0] == '.' && digits.Length > 1)))
            return false;
        if (digits.StartsWith("0x", StringComparison.Ordinal))
            return digits.Length > 2 && !digits[2..].ContainsAnyExcept("0123456789abcdefABCDEF_");
        return double.TryParse(digits, NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out _);
    }
}

internal sealed record YamlSequence(IReadOnlyList<YamlNode> Items, int Line, long Weight) : YamlNode(Line, Weight)
{
    public override string Shape => "a list";
}

internal sealed record YamlMapping(IReadOnlyList<KeyValuePair<YamlScalar, YamlNode>> Entries, int Line, long Weight) : YamlNode(Line, Weight)
{
    public override string Shape => "an object";

    public YamlNode? Find(string key)
    {
        foreach (var entry in Entries)
        {
            if (entry.Key.Text == key)
                return entry.Value;
        }
        return null;
    }
}
