using System.Globalization;

using Mesh.Meshctl.Control;

using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Mesh.Meshctl.Documents;

/// <summary>One document of an applied file: what it is, where it came from, and its text unchanged.</summary>
internal sealed record MeshDocument(string Kind, string Namespace, string Name, string File, int FirstLine, string Text, YamlMappingNode Root)
{
    public string Key => $"{Kind}/{Namespace}/{Name}";

    /// <summary>File name in the configuration folder. One document each, so that applying a changed one replaces exactly that one.</summary>
    public string FileName => $"{Kind}.{Namespace}.{Name}.yaml".ToLowerInvariant();

    /// <summary>The text at its original line numbers: what the control plane says about line 12 is line 12 of the person's file.</summary>
    public string TextAtItsLines => new string('\n', FirstLine - 1) + Text;

    public YamlNode? Find(params ReadOnlySpan<string> path)
    {
        YamlNode node = Root;
        foreach (var step in path)
        {
            if (node is not YamlMappingNode mapping || !mapping.Children.TryGetValue(new YamlScalarNode(step), out var next))
                return null;
            node = next;
        }

        return node;
    }

    public string? TextAt(params ReadOnlySpan<string> path) => (Find(path) as YamlScalarNode)?.Value;
}

/// <summary>Splits files into documents. What cannot be read is a problem with file, line and reason; the rest is still split.</summary>
internal static class DocumentReader
{
    private static readonly string[] ClusterScoped = ["Namespace", "GatewayClass", "Node"];

    public static (List<MeshDocument> Documents, List<DocumentProblem> Problems) Read(IEnumerable<SourceFile> files)
    {
        List<MeshDocument> documents = [];
        List<DocumentProblem> problems = [];
        foreach (var file in files)
        {
            foreach (var (text, firstLine) in Split(file.Text))
            {
                try
                {
                    if (Parse(file.Name, text, firstLine, problems) is { } document)
                        documents.Add(document);
                }
                catch (YamlException e)
                {
                    problems.Add(new DocumentProblem(
                        file.Name, firstLine - 1 + (int)e.Start.Line, file.Name, "error", $"this is not YAML: {e.InnerException?.Message ?? e.Message}", "correct the syntax at that line"));
                }
            }
        }

        foreach (var twice in documents.GroupBy(d => d.Key, StringComparer.OrdinalIgnoreCase).Where(g => g.Count() > 1))
        {
            var last = twice.Last();
            problems.Add(new DocumentProblem(
                last.File, last.FirstLine, last.Key, "error", $"{last.Key} is also in {twice.First().File}:{twice.First().FirstLine.ToString(CultureInfo.InvariantCulture)}", "keep one of the two"));
        }

        return (documents, problems);
    }

    private static MeshDocument? Parse(string file, string text, int firstLine, List<DocumentProblem> problems)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        if (stream.Documents.Count == 0 || stream.Documents[0].RootNode is YamlScalarNode { Value: null or "" })
            return null; // only comments
        if (stream.Documents[0].RootNode is not YamlMappingNode root)
        {
            problems.Add(new DocumentProblem(file, firstLine, file, "error", "the document is not a mapping", "begin it with apiVersion, kind and metadata"));
            return null;
        }

        var line = firstLine - 1 + (int)root.Start.Line;
        var probe = new MeshDocument(string.Empty, string.Empty, string.Empty, file, firstLine, text, root);
        var kind = probe.TextAt("kind");
        var name = probe.TextAt("metadata", "name");
        if (string.IsNullOrEmpty(kind) || string.IsNullOrEmpty(name) || kind.Contains('/', StringComparison.Ordinal) || name.Contains('/', StringComparison.Ordinal))
        {
            problems.Add(new DocumentProblem(file, line, file, "error", string.IsNullOrEmpty(kind) ? "kind is missing" : "metadata.name is missing or holds '/'", "every document needs apiVersion, kind and metadata.name"));
            return null;
        }

        var scope = ClusterScoped.Contains(kind, StringComparer.Ordinal) ? "cluster" : probe.TextAt("metadata", "namespace") ?? "default";
        return probe with { Kind = kind, Name = name, Namespace = scope };
    }

    /// <summary>Cuts at lines that begin with "---"; each part keeps the number of its first line.</summary>
    private static IEnumerable<(string Text, int FirstLine)> Split(string text)
    {
        var lines = text.ReplaceLineEndings("\n").Split('\n');
        var start = 0;
        for (var i = 0; i <= lines.Length; i++)
        {
            if (i < lines.Length && !(lines[i].StartsWith("---", StringComparison.Ordinal) && lines[i].Trim() == "---"))
                continue;
            if (lines[start..i].Any(l => l.Trim().Length > 0))
                yield return (string.Join('\n', lines[start..i]).TrimEnd('\n') + "\n", start + 1);
            start = i + 1;
        }
    }
}
