using CommandLine;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

[Verb("apply", HelpText = "Apply documents: policies, services, routes, gateways.")]
internal sealed class ApplyOptions : MeshOptions
{
    [Option('f', "filename", Required = true, HelpText = "A YAML file, or a folder of them; may be given several times.")]
    public IEnumerable<string> Files { get; set; } = [];
}

internal static class ApplyCommand
{
    public static async Task<int> RunAsync(ApplyOptions options)
    {
        var reply = await ControlClient.AskAsync<ApplyReply>(options.State, new ApplyRequest(SourceFiles.Read(options.Files)));
        return Report(reply, "applied");
    }

    public static int Report(ApplyReply reply, string done)
    {
        foreach (var problem in reply.Problems)
            Console.Error.WriteLine(Describe(problem));
        if (!reply.Accepted)
        {
            Console.Error.WriteLine("meshctl: nothing was changed; correct the documents above.");
            return ExitCodes.Data;
        }

        foreach (var document in reply.Applied)
            Console.WriteLine($"{document} {done}");
        return ExitCodes.Ok;
    }

    public static string Describe(DocumentProblem problem) =>
        $"{problem.File}:{problem.Line}: {problem.Severity.ToLowerInvariant()}: {problem.Reason}{(string.IsNullOrEmpty(problem.Fix) ? string.Empty : $" ({problem.Fix})")}";
}

/// <summary>Reads what -f names.</summary>
internal static class SourceFiles
{
    public static List<SourceFile> Read(IEnumerable<string> paths)
    {
        List<SourceFile> files = [];
        foreach (var path in paths)
        {
            try
            {
                var found = Directory.Exists(path)
                    ? Directory.EnumerateFiles(path).Where(f => Path.GetExtension(f) is ".yaml" or ".yml" or ".json").Order(StringComparer.Ordinal).ToList()
                    : [path];
                if (found.Count == 0)
                    throw new MeshctlException(ExitCodes.Data, $"{path} holds no .yaml, .yml or .json file.");
                files.AddRange(found.Select(f => new SourceFile(f, f == "-" ? Console.In.ReadToEnd() : File.ReadAllText(f))));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new MeshctlException(ExitCodes.Data, $"{path} cannot be read: {e.Message}");
            }
        }

        return files;
    }
}
