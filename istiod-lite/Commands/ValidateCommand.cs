using System.Text.Json.Nodes;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Documents;
using Mesh.Runtime;

namespace Mesh.IstiodLite.Commands;

/// <summary>istiod-lite validate: one verdict for each document, as it stands, without its neighbours.</summary>
internal static class ValidateCommand
{
    public static int Execute(ValidateOptions options, TextWriter output, TextWriter error)
    {
        if (!CommandOutput.IsKnown(options.Output, error) || DocumentInput.Read(options.Paths, error) is not { } files)
            return ExitCodes.Usage;
        var documents = files.SelectMany(f => f.Documents.Select(d => (f.Name, Document: d))).ToList();
        if (options.Output is CommandOutput.Json)
            CommandOutput.Write(output, new JsonArray([.. documents.Select(d => Verdict(d.Name, d.Document))]));
        else
            documents.ForEach(d => Write(output, d.Name, d.Document));
        return documents.Exists(d => d.Document.IsRefused) ? ExitCodes.Data : ExitCodes.Ok;
    }

    private static JsonObject Verdict(string file, DecodedDocument document) => new()
    {
        ["file"] = file,
        ["line"] = document.Line,
        ["kind"] = document.Key?.Kind ?? document.Written.Kind,
        ["namespace"] = document.Key?.Namespace ?? document.Written.Namespace,
        ["name"] = document.Key?.Name ?? document.Written.Name,
        ["verdict"] = document.IsRefused ? "reject" : "accept",
        ["reasons"] = Notes(document, ProblemSeverity.Error),
        ["warnings"] = Notes(document, ProblemSeverity.Warning),
    };

    private static JsonArray Notes(DecodedDocument document, ProblemSeverity severity) => new([.. document.Problems.Where(p => p.Severity == severity).Select(p => new JsonObject
    {
        ["line"] = p.Line,
        ["reason"] = p.Reason,
        ["fix"] = p.Fix,
    })]);

    private static void Write(TextWriter output, string file, DecodedDocument document)
    {
        var about = document.Resource is null && !document.IsRefused ? "accepted (means nothing to the mesh)" : document.IsRefused ? "refused" : "accepted";
        output.WriteLine($"{file}:{document.Line} {(document.Key is { } key ? $"{key}: " : document.Written.Kind is { } kind ? $"{kind} {document.Written.Name}: " : string.Empty)}{about}");
        foreach (var problem in document.Problems)
            output.WriteLine($"  {CommandOutput.Word(problem.Severity)}, line {problem.Line}: {problem.Reason}; {problem.Fix}");
    }
}
