using System.Text;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Documents;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Files;

/// <summary>The documents of one file as it was at one moment.</summary>
/// <param name="HasUnknownDocument">True if some document could not be read far enough to know which object it is.</param>
internal sealed record ParsedFile(string Name, IReadOnlyList<Resource> Resources, IReadOnlyList<ResourceKey> Refused, IReadOnlyList<Problem> Problems, bool HasUnknownDocument)
{
    private static readonly UTF8Encoding _strictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static ParsedFile Unreadable(string name, string reason, string fix) =>
        new(name, [], [], [new Problem(name, 1, string.Empty, ProblemSeverity.Error, reason, fix)], HasUnknownDocument: true);

    /// <param name="name">As it is shown to people.</param>
    /// <param name="content">The whole file.</param>
    public static ParsedFile Parse(string name, ReadOnlySpan<byte> content)
    {
        string text;
        try
        {
            text = _strictUtf8.GetString(content.StartsWith("\uFEFF"u8) ? content[3..] : content);
        }
        catch (DecoderFallbackException e)
        {
            return Unreadable(name, $"the file is not UTF-8 (byte {e.Index})", "save it as UTF-8");
        }
        var resources = new List<Resource>();
        var refused = new List<ResourceKey>();
        var problems = new List<Problem>();
        var unknown = false;
        foreach (var document in DocumentSplitter.Split(text))
        {
            try
            {
                if (YamlDocumentReader.Read(document.Text, document.FirstLine) is not { } root)
                    continue;
                foreach (var decoded in DocumentDecoder.Decode(root, name))
                {
                    problems.AddRange(decoded.Problems);
                    if (decoded.Resource is not null)
                        resources.Add(decoded.Resource);
                    else if (decoded.Key is { } key)
                        refused.Add(key);
                    else
                        unknown |= decoded.Problems.Count > 0;
                }
            }
            catch (YamlSyntaxException e)
            {
                unknown = true;
                problems.Add(new Problem(name, e.Line, string.Empty, ProblemSeverity.Error, e.Message, "correct the document; its last good version stays in force"));
            }
        }
        return new ParsedFile(name, resources, refused, problems, unknown);
    }
}
