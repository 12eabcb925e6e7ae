using System.Text;

namespace Mesh.Runtime.Metrics;

/// <summary>The labels of a series, rendered once. Equal when they print the same; keep one per connection pair and use it for all families.</summary>
public sealed class LabelSet : IEquatable<LabelSet>
{
    public static readonly LabelSet None = new(string.Empty);

    private readonly string _text;
    private readonly int _hash;

    private LabelSet(string text)
    {
        _text = text;
        _hash = text.GetHashCode(StringComparison.Ordinal);
        Utf8 = Encoding.UTF8.GetBytes(text);
    }

    /// <summary><c>a="1",b="2"</c>, without the braces.</summary>
    internal byte[] Utf8 { get; }

    public static LabelSet Of(params ReadOnlySpan<(string Name, string Value)> labels)
    {
        var text = new StringBuilder(32 * labels.Length);
        foreach (var (name, value) in labels)
            Append(text, name, value);
        return new LabelSet(text.ToString());
    }

    public static LabelSet Of(IReadOnlyList<string> names, ReadOnlySpan<string> values)
    {
        if (names.Count != values.Length)
            throw new ArgumentException($"{names.Count} labels ({string.Join(", ", names)}) need as many values, {values.Length} were given", nameof(values));
        var text = new StringBuilder(32 * values.Length);
        for (var i = 0; i < values.Length; i++)
            Append(text, names[i], values[i]);
        return text.Length == 0 ? None : new LabelSet(text.ToString());
    }

    public bool Equals(LabelSet? other) => other is not null && (ReferenceEquals(this, other) || (_hash == other._hash && _text == other._text));

    public override bool Equals(object? obj) => Equals(obj as LabelSet);

    public override int GetHashCode() => _hash;

    public override string ToString() => $"{{{_text}}}";

    // Exposition format: in a label value backslash, quote and line feed are escaped, nothing else.
    private static void Append(StringBuilder text, string name, string value)
    {
        if (text.Length > 0)
            text.Append(',');
        text.Append(name).Append("=\"");
        if (value.AsSpan().ContainsAny('\\', '"', '\n'))
            value = value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        text.Append(value).Append('"');
    }
}
