using System.Globalization;

namespace Mesh.IstiodLite.Sources.Yaml;

/// <summary>
/// Reads the fields of one object and remembers which were asked for: what is left when the reader is closed was misspelt or belongs
/// elsewhere. Null counts as absent, as in Kubernetes.
/// </summary>
internal sealed class FieldReader(YamlMapping map, string path, DocumentFaults faults)
{
    private static readonly TimeSpan _shortest = TimeSpan.FromMilliseconds(1);
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    public int Line => map.Line;
    public string Path => path;
    public DocumentFaults Faults => faults;
    public IEnumerable<string> Names => map.Entries.Select(e => e.Key.Text);

    public void Ignore(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
            _known.Add(name);
    }

    public bool Has(string name) => Node(name) is not null;

    public int LineOf(string name) => map.Find(name)?.Line ?? map.Line;

    public string? String(string name) => Node(name) is { } node ? Text(node, name) : null;

    /// <summary>Kubernetes' IntOrString: a number and a name are both good.</summary>
    public string? NumberOrName(string name)
    {
        var node = Node(name);
        if (node is null or YamlScalar)
            return (node as YamlScalar)?.Text;
        Mistyped(node, name, "a number or a name");
        return null;
    }

    public string Required(string name)
    {
        var value = String(name);
        if (string.IsNullOrEmpty(value))
            faults.Add(LineOf(name), $"{path}.{name} is missing", $"add {name}");
        return value ?? string.Empty;
    }

    public bool? Bool(string name)
    {
        var node = Node(name);
        switch (node)
        {
            case null:
                return null;
            case YamlScalar { IsPlain: true } scalar when scalar.Bool is { } value:
                return value;
            default:
                Mistyped(node, name, "true or false");
                return null;
        }
    }

    public long? Long(string name, long minimum = long.MinValue, long maximum = long.MaxValue)
    {
        var node = Node(name);
        if (node is null)
            return null;
        if (node is not YamlScalar scalar || !long.TryParse(scalar.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value))
        {
            Mistyped(node, name, "a whole number");
            return null;
        }
        if (!scalar.IsPlain)
            faults.AddToSchema(node.Line, $"{path}.{name} must be a number, it is the text \"{scalar.Text}\"", "remove the quotes");
        if (value < minimum || value > maximum)
        {
            faults.Add(node.Line, $"{path}.{name} is {value}, it must be within {minimum} and {maximum}", "correct the number");
            return null;
        }
        return value;
    }

    public int? Int(string name, int minimum = int.MinValue, int maximum = int.MaxValue) => (int?)Long(name, minimum, maximum);

    public uint? UInt(string name) => (uint?)Long(name, 0, uint.MaxValue);

    public int? Port(string name) => Int(name, 1, 65535);

    public double? Double(string name, double minimum, double maximum)
    {
        var node = Node(name);
        if (node is null)
            return null;
        if (node is YamlScalar scalar && double.TryParse(scalar.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= minimum && value <= maximum)
            return value;
        Mistyped(node, name, $"a number within {minimum} and {maximum}");
        return null;
    }

    /// <summary>A time of at least a millisecond, as Istio asks of every duration that does not say otherwise.</summary>
    public TimeSpan? Duration(string name)
    {
        if (DurationOrZero(name) is not { } value)
            return null;
        if (value >= _shortest)
            return value;
        faults.Add(LineOf(name), $"{path}.{name} must be at least 1ms", "write a longer time, or remove it");
        return null;
    }

    public TimeSpan? DurationOrZero(string name)
    {
        var node = Node(name);
        if (node is null)
            return null;
        if (node is YamlScalar scalar && GoDuration.TryParse(scalar.Text, out var value))
            return value;
        Mistyped(node, name, "a duration such as 5s, 100ms or 1h30m");
        return null;
    }

    public T Choice<T>(string name, T fallback, params ReadOnlySpan<(string Text, T Value)> choices)
    {
        var text = String(name);
        if (text is null)
            return fallback;
        foreach (var choice in choices)
        {
            if (choice.Text == text)
                return choice.Value;
        }
        var known = string.Join(", ", choices.ToArray().Select(c => c.Text));
        faults.Add(LineOf(name), $"{path}.{name} is \"{text}\", known are: {known}", "use one of them");
        return fallback;
    }

    public IReadOnlyList<string> Strings(string name)
    {
        var node = Node(name);
        if (node is null)
            return [];
        if (node is not YamlSequence sequence)
        {
            Mistyped(node, name, "a list");
            return [];
        }
        var values = new List<string>(sequence.Items.Count);
        foreach (var item in sequence.Items)
        {
            if (Text(item, $"{name}[{values.Count}]") is { } text)
                values.Add(text);
        }
        return values;
    }

    public IReadOnlyList<int> Ints(string name, int minimum, int maximum)
    {
        var values = new List<int>();
        foreach (var item in (Node(name) as YamlSequence)?.Items ?? [])
        {
            if (item is YamlScalar { IsPlain: true } scalar && int.TryParse(scalar.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= minimum && value <= maximum)
                values.Add(value);
            else
                Mistyped(item, $"{name}[{values.Count}]", $"a number within {minimum} and {maximum}");
        }
        return values;
    }

    public IReadOnlyDictionary<string, string>? StringMap(string name) =>
        Map(name, (node, field) => node is YamlScalar { IsNull: true } ? string.Empty : Text(node, field) ?? string.Empty);

    /// <summary>An object whose keys are the person's own; null where it is absent.</summary>
    public IReadOnlyDictionary<string, T>? Map<T>(string name, Func<YamlNode, string, T> read)
    {
        var node = Node(name);
        if (node is null)
            return null;
        if (node is not YamlMapping mapping)
        {
            Mistyped(node, name, "an object");
            return null;
        }
        var result = new Dictionary<string, T>(mapping.Entries.Count, StringComparer.Ordinal);
        foreach (var entry in mapping.Entries)
            result[entry.Key.Text] = read(entry.Value, $"{name}.{entry.Key.Text}");
        return result;
    }

    public T? Object<T>(string name, Func<FieldReader, T> read)
        where T : class
    {
        var node = Node(name);
        return node is null ? null : ReadObject(node, name, read);
    }

    public void Object(string name, Action<FieldReader> read) => Object<object>(name, r =>
    {
        read(r);
        return r;
    });

    public IReadOnlyList<T> Objects<T>(string name, Func<FieldReader, T> read)
        where T : class
    {
        var node = Node(name);
        if (node is null)
            return [];
        if (node is not YamlSequence sequence)
        {
            Mistyped(node, name, "a list");
            return [];
        }
        var result = new List<T>(sequence.Items.Count);
        for (var i = 0; i < sequence.Items.Count; i++)
        {
            if (ReadObject(sequence.Items[i], $"{name}[{i}]", read) is { } item)
                result.Add(item);
        }
        return result;
    }

    public T? ReadObject<T>(YamlNode node, string name, Func<FieldReader, T> read)
        where T : class
    {
        if (node is YamlScalar { IsNull: true })
            node = new YamlMapping([], node.Line, 1);
        if (node is not YamlMapping mapping)
        {
            Mistyped(node, name, "an object");
            return null;
        }
        var reader = new FieldReader(mapping, $"{path}.{name}", faults);
        var result = read(reader);
        reader.Close();
        return result;
    }

    /// <summary>
    /// Reports every field nobody asked for, with the nearest known name. Istio's webhook only looks at those of the document itself; what is
    /// inside is left to the schema.
    /// </summary>
    public void Close()
    {
        var isDocument = !path.Contains('.', StringComparison.Ordinal);
        foreach (var entry in map.Entries)
        {
            var name = entry.Key.Text;
            if (_known.Contains(name))
                continue;
            var near = Spelling.Nearest(name, _known);
            faults.AddUnknownField(entry.Key.Line, $"unknown field {path}.{name}", near is null ? "remove it" : $"did you mean {near}?", schemaOnly: !isDocument);
        }
    }

    private YamlNode? Node(string name)
    {
        _known.Add(name);
        var node = map.Find(name);
        return node is YamlScalar { IsNull: true } ? null : node;
    }

    private string? Text(YamlNode node, string name)
    {
        if (node is not YamlScalar scalar)
            Mistyped(node, name, "text");
        else if (scalar.IsNumberOrBool)
            faults.Add(node.Line, $"{path}.{name} must be text, but {scalar.Text} without quotes is a {(scalar.Bool is null ? "number" : "boolean")}", $"write \"{scalar.Text}\" in quotes");
        else
            return scalar.Text;
        return null;
    }

    private void Mistyped(YamlNode node, string name, string expected) =>
        faults.Add(node.Line, $"{path}.{name} must be {expected}, it is {node.Shape}", $"write {expected}");
}
