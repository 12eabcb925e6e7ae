using System.Globalization;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Validation;

/// <summary>A value of a document and the place it was written at. What is absent is a value too, so that chains of look-ups need no questions.</summary>
/// <param name="node">Null: absent.</param>
/// <param name="path">As people write it: "spec.http[0].route".</param>
/// <param name="line">Of the value, or of what it is missing from.</param>
internal readonly struct Field(YamlNode? node, string path, int line)
{
    private readonly YamlNode? _node = node is YamlScalar { IsNull: true } ? null : node;

    public string Path => path;
    public int Line => line;
    public bool Exists => _node is not null;

    /// <summary>Empty where it is absent.</summary>
    public string Text => (_node as YamlScalar)?.Text ?? string.Empty;

    public long? Number => long.TryParse(Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value : null;

    public int Count => _node switch
    {
        YamlSequence list => list.Items.Count,
        YamlMapping map => map.Entries.Count,
        _ => 0,
    };

    public Field this[string name]
    {
        get
        {
            var child = (_node as YamlMapping)?.Find(name);
            return new Field(child, path.Length == 0 ? name : $"{path}.{name}", child?.Line ?? line);
        }
    }

    public IEnumerable<Field> Items
    {
        get
        {
            if (_node is not YamlSequence list)
                yield break;
            for (var i = 0; i < list.Items.Count; i++)
                yield return new Field(list.Items[i], $"{path}[{i}]", list.Items[i].Line);
        }
    }

    public IEnumerable<KeyValuePair<string, Field>> Entries
    {
        get
        {
            foreach (var entry in (_node as YamlMapping)?.Entries ?? [])
                yield return new(entry.Key.Text, new Field(entry.Value, $"{path}.{entry.Key.Text}", entry.Key.Line));
        }
    }

    public bool HasAny(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (this[name].Exists)
                return true;
        }
        return false;
    }

    /// <summary>The value as one line of text, equal for equal values whatever their layout.</summary>
    public string Canonical() => Canonical(_node);

    private static string Canonical(YamlNode? node) => node switch
    {
        YamlScalar scalar => $"\"{scalar.Text}\"",
        YamlSequence list => $"[{string.Join(',', list.Items.Select(Canonical))}]",
        YamlMapping map => $"{{{string.Join(',', map.Entries.OrderBy(e => e.Key.Text, StringComparer.Ordinal).Select(e => $"{e.Key.Text}:{Canonical(e.Value)}"))}}}",
        _ => string.Empty,
    };
}
