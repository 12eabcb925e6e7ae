using CommandLine;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

[Verb("exec", HelpText = "Run a program inside a pod that is there: meshctl exec POD -- PROGRAM ARGS.")]
internal sealed class ExecOptions : MeshOptions
{
    [Value(0, MetaName = "POD", Required = true, HelpText = "NAME, or NAMESPACE/NAME.")]
    public string Pod { get; set; } = string.Empty;
}

internal static class ExecCommand
{
    public static async Task<int> RunAsync(ExecOptions options, string[] program)
    {
        if (program.Length == 0)
            throw new MeshctlException(ExitCodes.Usage, "exec needs a program: meshctl exec POD -- PROGRAM ARGS.");
        var state = options.State;
        var pod = await ControlClient.AskAsync<PodReply>(state, new FindPodRequest(options.Pod));
        return await PodEntry.RunAsync(state, pod, program);
    }
}
