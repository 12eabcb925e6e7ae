using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Mesh.IstiodLite.Sources.Yaml;

/// <summary>A document that is not YAML, or exceeds <see cref="YamlLimits"/>. Line is 1-based in the file.</summary>
internal sealed class YamlSyntaxException(int line, string message) : Exception(message)
{
    public int Line { get; } = line;
}

/// <summary>Text of one document (no separator lines) to a node tree. Bounded in depth, length and expanded size.</summary>
internal sealed class YamlDocumentReader
{
    private readonly Parser _parser;
    private readonly int _firstLine;
    private readonly Dictionary<AnchorName, YamlNode> _anchors = [];

    private YamlDocumentReader(string text, int firstLine)
    {
        _parser = new Parser(new StringReader(text));
        _firstLine = firstLine;
    }

    /// <summary>Null: the document is empty (only comments).</summary>
    public static YamlNode? Read(string text, int firstLine)
    {
        if (text.Length > YamlLimits.MaxDocumentChars)
            throw new YamlSyntaxException(firstLine, $"the document has {text.Length:N0} characters, more than the limit of {YamlLimits.MaxDocumentChars:N0}");
        var reader = new YamlDocumentReader(text, firstLine);
        try
        {
            return reader.ReadDocument();
        }
        catch (YamlException e)
        {
            throw new YamlSyntaxException(firstLine + (int)e.Start.Line - 1, $"not valid YAML: {Clean(e)}");
        }
    }

    private YamlNode? ReadDocument()
    {
        Next();
        Next();
        if (_parser.Current is StreamEnd)
            return null;
        Next();
        var root = ReadNode(0);
        if (_parser.Current is not DocumentEnd)
            throw new YamlSyntaxException(LineOf(_parser.Current!), "the document does not end where it should");
        Next();
        if (_parser.Current is not StreamEnd)
            throw new YamlSyntaxException(LineOf(_parser.Current!), "a second document begins without a line of its own that says ---");
        return root is YamlScalar { IsNull: true } ? null : root;
    }

    private YamlNode ReadNode(int depth)
    {
        var current = _parser.Current!;
        if (depth > YamlLimits.MaxDepth)
            throw new YamlSyntaxException(LineOf(current), $"nested deeper than {YamlLimits.MaxDepth} levels");
        switch (current)
        {
            case Scalar scalar:
                Next();
                return Remember(scalar.Anchor, new YamlScalar(scalar.Value, scalar.Style is ScalarStyle.Plain or ScalarStyle.Any, LineOf(scalar)));
            case AnchorAlias alias:
                Next();
                return _anchors.TryGetValue(alias.Value, out var target)
                    ? target
                    : throw new YamlSyntaxException(LineOf(alias), $"the alias *{alias.Value} stands before its anchor, or inside it");
            case SequenceStart sequence:
                return Remember(sequence.Anchor, ReadSequence(sequence, depth));
            case MappingStart mapping:
                return Remember(mapping.Anchor, ReadMapping(mapping, depth));
            default:
                throw new YamlSyntaxException(LineOf(current), $"unexpected {current.GetType().Name}");
        }
    }

    private YamlSequence ReadSequence(SequenceStart start, int depth)
    {
        Next();
        var items = new List<YamlNode>();
        long weight = 1;
        while (_parser.Current is not SequenceEnd)
        {
            var item = ReadNode(depth + 1);
            items.Add(item);
            weight = Grow(weight, item, start);
        }
        Next();
        return new YamlSequence(items, LineOf(start), weight);
    }

    private YamlMapping ReadMapping(MappingStart start, int depth)
    {
        Next();
        var entries = new List<KeyValuePair<YamlScalar, YamlNode>>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        long weight = 1;
        while (_parser.Current is not MappingEnd)
        {
            if (ReadNode(depth + 1) is not YamlScalar key)
                throw new YamlSyntaxException(LineOf(start), "a key must be plain text");
            if (!seen.Add(key.Text))
                throw new YamlSyntaxException(key.Line, $"the key \"{key.Text}\" is there twice");
            var value = ReadNode(depth + 1);
            entries.Add(new(key, value));
            weight = Grow(weight + 1, value, start);
        }
        Next();
        return new YamlMapping(entries, LineOf(start), weight);
    }

    private long Grow(long weight, YamlNode child, ParsingEvent at)
    {
        var sum = weight + child.Weight;
        return sum <= YamlLimits.MaxNodes ? sum : throw new YamlSyntaxException(LineOf(at), $"more than {YamlLimits.MaxNodes:N0} values once aliases are expanded");
    }

    private YamlNode Remember(AnchorName anchor, YamlNode node)
    {
        if (!anchor.IsEmpty)
            _anchors[anchor] = node;
        return node;
    }

    private void Next()
    {
        if (!_parser.MoveNext())
            throw new YamlSyntaxException(_firstLine, "the document ends in the middle");
        // Comments are only produced when asked for, so Current is always structure.
    }

    private int LineOf(ParsingEvent e) => _firstLine + (int)e.Start.Line - 1;

    private static string Clean(YamlException e)
    {
        var text = e.InnerException?.Message ?? e.Message;
        var end = text.IndexOf("): ", StringComparison.Ordinal);
        return (text.StartsWith('(') && end > 0 ? text[(end + 3)..] : text).TrimEnd('.');
    }
}
