using CommandLine;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

[Verb("logs", HelpText = "What a pod or a part of the mesh wrote (ztunnel-node-1, istiod-lite, waypoint-..., daemon).")]
internal sealed class LogsOptions : MeshOptions
{
    [Value(0, MetaName = "NAME", Required = true, HelpText = "Pod, or part of the mesh as 'meshctl status' names it.")]
    public string Target { get; set; } = string.Empty;

    [Option('f', "follow", HelpText = "Keep printing what is added.")]
    public bool Follow { get; set; }
}

internal static class LogsCommand
{
    public static async Task<int> RunAsync(LogsOptions options, TimeProvider time)
    {
        var state = options.State;
        var file = options.Target == "daemon" ? state.DaemonLog : await FindAsync(state, options.Target);
        using var stop = new CancellationTokenSource();
        using var signals = Signals.Listen(_ => stop.Cancel());
        try
        {
            await using var log = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            await using var output = Console.OpenStandardOutput();
            do
            {
                await log.CopyToAsync(output, stop.Token);
                await output.FlushAsync(stop.Token);
                if (options.Follow)
                    await Task.Delay(TimeSpan.FromMilliseconds(200), time, stop.Token);
            }
            while (options.Follow);
        }
        catch (FileNotFoundException)
        {
            // It has not written anything yet.
        }
        catch (OperationCanceledException)
        {
            // Ctrl-C ends --follow.
        }

        return ExitCodes.Ok;
    }

    private static async Task<string> FindAsync(StateDirectory state, string target)
    {
        var status = await ControlClient.AskAsync<StatusReply>(state, new StatusRequest());
        var pod = status.Pods.Find(p => p.Name == target || $"{p.Namespace}/{p.Name}" == target);
        return status.Components.Find(c => c.Name == target)?.Log ?? pod?.Log
            ?? throw new MeshctlException(ExitCodes.Usage, $"there is neither a pod nor a part '{target}': 'meshctl status' lists them.");
    }
}
