using System.Diagnostics;

using CommandLine;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Wire;
using Mesh.Meshctl.Local;
using Mesh.Meshctl.Topology;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

[Verb("record", HelpText = "Record what goes over the wire of a pod or of a node's uplink, as a pcap file; Ctrl-C ends it.")]
internal sealed class RecordOptions : MeshOptions
{
    [Value(0, MetaName = "POD|NODE", Required = true, HelpText = "A pod, or node-1, node-2, ...")]
    public string Target { get; set; } = string.Empty;

    [Option('w', "write", Required = true, HelpText = "File to write; tcpdump -r and wireshark read it.")]
    public string File { get; set; } = string.Empty;

    [Option("here", Hidden = true, HelpText = "Records this interface of the own network namespace.")]
    public string? Interface { get; set; }
}

internal static class RecordCommand
{
    public static async Task<int> RunAsync(RecordOptions options, TimeProvider time)
    {
        using var stop = new CancellationTokenSource();
        using var signals = Signals.Listen(_ => stop.Cancel());
        if (options.Interface is { } name)
        {
            await FrameRecorder.RunAsync(name, options.File, time, stop.Token);
            return ExitCodes.Ok;
        }

        var (network, link) = await FindAsync(options);
        var command = Command(options.State, network, link, options.Target, Path.GetFullPath(options.File));
        var start = new ProcessStartInfo(command[0]) { UseShellExecute = false };
        foreach (var argument in command.Skip(1))
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start) ?? throw new InvalidOperationException("the recorder did not start");

        // Ctrl-C reaches the recorder through the terminal; a signal to this process alone is passed on to the one that nsenter started.
        await using var passOn = stop.Token.Register(() => _ = Tool.RunAsync(["sh", "-c", "kill -s TERM $(cat /proc/\"$0\"/task/\"$0\"/children)", $"{process.Id}"]));
        await process.WaitForExitAsync(CancellationToken.None);
        return process.ExitCode;
    }

    /// <summary>meshctl itself, in the namespace whose wire is wanted.</summary>
    public static IReadOnlyList<string> Command(StateDirectory state, string network, string link, string target, string file) =>
    [
        .. Namespaces.EnterMesh(state.ReadProcessId() ?? throw new MeshctlException(ExitCodes.Unavailable, $"the mesh '{state.Name}' is going down."), Environment.IsPrivilegedProcess),
        .. Namespaces.EnterNetwork(network), .. MeshLauncher.OwnCommand, "record", target, "--here", link, "--write", file,
    ];

    private static async Task<(string Network, string Link)> FindAsync(RecordOptions options)
    {
        var status = await ControlClient.AskAsync<StatusReply>(options.State, new StatusRequest());
        for (var node = 1; node <= status.Nodes; node++)
        {
            if (AddressPlan.NodeName(node) == options.Target)
                return (NetworkBuilder.PathOf(options.Target), "uplink");
        }

        return ((await ControlClient.AskAsync<PodReply>(options.State, new FindPodRequest(options.Target))).NetworkNamespace, "eth0");
    }
}
