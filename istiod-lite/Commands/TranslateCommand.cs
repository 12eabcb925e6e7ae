using System.Text.Json.Nodes;
using Mesh.IstiodLite.Admin;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Review;
using Mesh.IstiodLite.Sources.Files;
using Mesh.IstiodLite.Translation;
using Mesh.Runtime;

namespace Mesh.IstiodLite.Commands;

/// <summary>istiod-lite translate: documents in, what clients would be sent out; or what would change for whom between two versions of them.</summary>
internal static class TranslateCommand
{
    public static int Execute(TranslateOptions options, TextWriter output, TextWriter error)
    {
        var errors = new List<string>();
        var settings = MeshSettings.FromEnvironment(Environment.GetEnvironmentVariables(), errors) with { Standalone = options.Standalone };
        var paths = options.Paths.ToList();
        if (options.Diff && paths.Count != 2)
            errors.Add($"--diff compares two versions, {paths.Count} paths were named; write --diff OLD NEW");
        errors.ForEach(e => error.WriteLine($"istiod-lite: {e}"));
        if (errors.Count > 0 || !CommandOutput.IsKnown(options.Output, error))
            return ExitCodes.Usage;
        return options.Diff ? Compare(options, settings, paths, output, error) : Print(options, settings, paths, output, error);
    }

    private static int Print(TranslateOptions options, MeshSettings settings, List<string> paths, TextWriter output, TextWriter error)
    {
        if (DocumentInput.Read(paths, error) is not { } files)
            return ExitCodes.Usage;
        var translated = Translate(files, settings, AddressBook.Empty);
        var problems = files.SelectMany(f => f.Problems).Concat(translated.Problems).ToList();
        if (options.Output is CommandOutput.Json)
        {
            var json = TranslationJson.Of(translated);
            json["problems"] = TranslationJson.Problems(problems);
            CommandOutput.Write(output, json);
        }
        else
        {
            CommandOutput.Write(output, problems);
            TranslationDiff.Between(null, translated).Write(output);
        }
        return CodeOf(problems);
    }

    private static int Compare(TranslateOptions options, MeshSettings settings, List<string> paths, TextWriter output, TextWriter error)
    {
        if (DocumentInput.Read(paths[..1], error) is not { } before || DocumentInput.Read(paths[1..], error) is not { } after)
            return ExitCodes.Usage;
        var old = Translate(before, settings, AddressBook.Empty);
        var renewed = Translate(after, settings, old.Book);
        var problems = after.SelectMany(f => f.Problems).Concat(renewed.Problems).ToList();
        var diff = TranslationDiff.Between(old, renewed);
        if (options.Output is CommandOutput.Json)
        {
            var json = diff.ToJson();
            json["problems"] = TranslationJson.Problems(problems);
            CommandOutput.Write(output, json);
        }
        else
        {
            CommandOutput.Write(output, problems);
            diff.Write(output);
        }
        return CodeOf(problems);
    }

    /// <summary>A folder of files holds only what is good. A cluster may hold what its webhook would refuse today: it is translated, and named.</summary>
    private static Translated Translate(IEnumerable<ParsedFile> files, MeshSettings settings, AddressBook book) => MeshTranslator.Translate(
        new ResourceSet(files.SelectMany(f => settings.Standalone ? f.Resources : f.Documents.Select(d => d.Readable).OfType<Resource>())), settings, book);

    private static int CodeOf(List<Problem> problems) => problems.Exists(p => p.Severity is ProblemSeverity.Error) ? ExitCodes.Data : ExitCodes.Ok;
}
