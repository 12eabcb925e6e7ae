namespace Mesh.IstiodLite.Sources.Yaml;

/// <summary>Text of one document of a file and the line of its first character.</summary>
internal readonly record struct DocumentText(int Index, int FirstLine, string Text);

/// <summary>
/// Splits a file at its separator lines before anything is parsed, so that one broken document cannot hide the ones after it.
/// YAML 1.2 clause 9.1.2: "---" at the start of a line always ends a document, also inside scalars.
/// </summary>
internal static class DocumentSplitter
{
    public static IEnumerable<DocumentText> Split(string file)
    {
        int start = 0, startLine = 1, line = 1, index = 0;
        for (var position = 0; position <= file.Length;)
        {
            var end = file.IndexOf('\n', position);
            var next = end < 0 ? file.Length + 1 : end + 1;
            var text = file.AsSpan(position, (end < 0 ? file.Length : end) - position).TrimEnd('\r');
            if (IsSeparator(text))
            {
                var document = file[start..position];
                if (HasContent(document))
                    yield return new DocumentText(index++, startLine, document);
                // What follows the dashes on their own line belongs to the document: "--- {kind: Pod}".
                start = position + 3;
                startLine = line;
            }
            position = next;
            line++;
        }
        var last = file[start..];
        if (HasContent(last))
            yield return new DocumentText(index, startLine, last);
    }

    private static bool IsSeparator(ReadOnlySpan<char> line) => line.StartsWith("---") && (line.Length == 3 || line[3] is ' ' or '\t');

    private static bool HasContent(string document)
    {
        foreach (var line in document.AsSpan().EnumerateLines())
        {
            var text = line.Trim();
            if (!text.IsEmpty && text[0] is not ('#' or '%') && !text.SequenceEqual("..."))
                return true;
        }
        return false;
    }
}
