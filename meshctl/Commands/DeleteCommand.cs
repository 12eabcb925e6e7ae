using CommandLine;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

[Verb("delete", HelpText = "Delete a pod (NAME), documents (KIND/NAME) or what a file holds (-f).")]
internal sealed class DeleteOptions : MeshOptions
{
    [Value(0, MetaName = "NAMES", HelpText = "Pods: NAME or pod/NAMESPACE/NAME. Documents: KIND/NAME or KIND/NAMESPACE/NAME.")]
    public IEnumerable<string> Names { get; set; } = [];

    [Option('f', "filename", HelpText = "Delete the documents of this file or folder.")]
    public IEnumerable<string> Files { get; set; } = [];
}

internal static class DeleteCommand
{
    public static async Task<int> RunAsync(DeleteOptions options)
    {
        var names = options.Names.ToList();
        var pods = names.Where(n => !n.Contains('/', StringComparison.Ordinal) || n.StartsWith("pod/", StringComparison.Ordinal)).ToList();
        var documents = names.Except(pods, StringComparer.Ordinal).ToList();
        var files = SourceFiles.Read(options.Files);
        if (names.Count == 0 && files.Count == 0)
            throw new MeshctlException(ExitCodes.Usage, "delete needs the name of a pod, KIND/NAME of a document, or -f FILE.");

        foreach (var pod in pods)
        {
            var done = await ControlClient.AskAsync<DoneReply>(options.State, new DeletePodRequest(pod.StartsWith("pod/", StringComparison.Ordinal) ? pod["pod/".Length..] : pod));
            Console.WriteLine(done.Text);
        }

        if (documents.Count == 0 && files.Count == 0)
            return ExitCodes.Ok;
        return ApplyCommand.Report(await ControlClient.AskAsync<ApplyReply>(options.State, new DeleteDocumentsRequest(files, documents)), "deleted");
    }
}
