using Mesh.IstiodLite.Admin;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;
using Mesh.Runtime;

namespace Mesh.IstiodLite.Commands;

/// <summary>istiod-lite analyze: what is wrong with documents together, and what is valid but probably not meant.</summary>
internal static class AnalyzeCommand
{
    public static int Execute(AnalyzeOptions options, TextWriter output, TextWriter error)
    {
        var errors = new List<string>();
        // A Gateway that is only written yet has no address: it counts as if its waypoint ran.
        var settings = MeshSettings.FromEnvironment(Environment.GetEnvironmentVariables(), errors) with { Standalone = true };
        errors.ForEach(e => error.WriteLine($"istiod-lite: {e}"));
        if (errors.Count > 0 || !CommandOutput.IsKnown(options.Output, error) || DocumentInput.Read(options.Paths, error) is not { } files)
            return ExitCodes.Usage;
        var owners = new Dictionary<ResourceKey, Resource>();
        var problems = files.SelectMany(f => f.Problems).ToList();
        foreach (var resource in files.SelectMany(f => f.Resources))
        {
            if (!owners.TryAdd(resource.Key, resource))
                problems.Add(Problem.Duplicate(resource, owners[resource.Key]));
        }
        problems.AddRange(MeshTranslator.Translate(new ResourceSet(owners.Values), settings, AddressBook.Empty).Problems);
        if (options.Output is CommandOutput.Json)
            CommandOutput.Write(output, TranslationJson.Problems(problems));
        else if (problems.Count == 0)
            output.WriteLine($"{owners.Count} documents, nothing to say about them");
        else
            CommandOutput.Write(output, problems);
        return problems.Exists(p => p.Severity is ProblemSeverity.Error) ? ExitCodes.Data : ExitCodes.Ok;
    }
}
