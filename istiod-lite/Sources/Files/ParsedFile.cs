using System.Text;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Documents;
using Mesh.IstiodLite.Sources.Yaml;
using Mesh.IstiodLite.Validation;

namespace Mesh.IstiodLite.Sources.Files;

/// <summary>The documents of one file as it was at one moment.</summary>
/// <param name="Name">As it is shown to people.</param>
/// <param name="Documents">All of them, good or bad, in their order.</param>
internal sealed record ParsedFile(string Name, IReadOnlyList<DecodedDocument> Documents)
{
    private static readonly UTF8Encoding _strictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>What is in force of it.</summary>
    public IReadOnlyList<Resource> Resources { get; } = [.. Documents.Select(d => d.Resource).OfType<Resource>()];

    public IReadOnlySet<ResourceKey> Refused { get; } = Documents.Where(d => d.IsRefused).Select(d => d.Key).OfType<ResourceKey>().ToHashSet();

    public IReadOnlyList<Problem> Problems { get; } = [.. Documents.SelectMany(d => d.Problems)];

    /// <summary>True if some document could not be read far enough to know which object it is.</summary>
    public bool HasUnknownDocument { get; } = Documents.Any(d => d.IsRefused && d.Key is null);

    public static ParsedFile Unreadable(string name, string reason, string fix) => new(name, [Broken(name, 1, reason, fix)]);

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
        var documents = new List<DecodedDocument>();
        foreach (var document in DocumentSplitter.Split(text))
        {
            try
            {
                if (YamlDocumentReader.Read(document.Text, document.FirstLine) is { } root)
                    documents.AddRange(DocumentValidator.Judge(root, name));
            }
            catch (YamlSyntaxException e)
            {
                documents.Add(Broken(name, e.Line, e.Message, "correct the document"));
            }
        }
        return new ParsedFile(name, documents);
    }

    private static DecodedDocument Broken(string file, int line, string reason, string fix) =>
        new(line, null, null, null, [new Problem(file, line, string.Empty, ProblemSeverity.Error, reason, fix)], RefusedByWebhook: true);
}
