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

    public override string Shape => IsNull ? "nothing" : $"\"{(Text.Length > 40 ? Text[..40] + "..." : Text)}\"";
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
