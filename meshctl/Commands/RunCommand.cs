using System.Collections;

using CommandLine;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

[Verb("run", HelpText = "Run any program as a pod: meshctl run NAME [options] -- PROGRAM ARGS. Without a program the pod waits for 'exec'.")]
internal sealed class RunOptions : MeshOptions
{
    [Value(0, MetaName = "NAME", Required = true, HelpText = "Name of the pod.")]
    public string Name { get; set; } = string.Empty;

    [Option("namespace", Default = "default", HelpText = "Namespace of the pod.")]
    public string Namespace { get; set; } = "default";

    [Option("service-account", Default = "default", HelpText = "Its identity is spiffe://cluster.local/ns/NAMESPACE/sa/SERVICE-ACCOUNT.")]
    public string ServiceAccount { get; set; } = "default";

    [Option('l', "labels", Separator = ',', HelpText = "key=value,key=value")]
    public IEnumerable<string> Labels { get; set; } = [];

    [Option("node", HelpText = "node-1, node-2, ...; default: the node with the fewest pods.")]
    public string? Node { get; set; }

    [Option("no-mesh", HelpText = "The pod does not take part: nothing of it is captured.")]
    public bool NoMesh { get; set; }

    [Option('d', "detach", HelpText = "Return at once; output goes to 'meshctl logs NAME'.")]
    public bool Detach { get; set; }

    [Option("ready-port", HelpText = "With --detach: wait until the program listens on this port before peers may use the pod.")]
    public int ReadyPort { get; set; }

    public Dictionary<string, string> ParseLabels()
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var label in Labels)
        {
            var equals = label.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
                throw new MeshctlException(ExitCodes.Usage, $"'{label}' is not a label: write key=value.");
            labels[label[..equals]] = label[(equals + 1)..];
        }

        return labels;
    }
}

internal static class RunCommand
{
    public static async Task<int> RunAsync(RunOptions options, string[] program)
    {
        if (options.ReadyPort != 0 && !options.Detach)
            throw new MeshctlException(ExitCodes.Usage, "--ready-port needs --detach.");
        var foreground = !options.Detach && program.Length > 0;
        var request = new RunRequest
        {
            Name = options.Name,
            Namespace = options.Namespace,
            ServiceAccount = options.ServiceAccount,
            Labels = options.ParseLabels(),
            Node = options.Node,
            InMesh = !options.NoMesh,
            Foreground = foreground,
            Program = [.. program],
            Environment = CurrentEnvironment(),
            WorkingDirectory = Environment.CurrentDirectory,
            ReadyPort = options.ReadyPort,
        };

        var state = options.State;
        var (reply, lease) = await ControlClient.OpenAsync<PodReply>(state, request);
        await using (lease)
        {
            if (foreground)
                return await PodEntry.RunAsync(state, reply, program);
            Console.WriteLine($"pod {reply.Pod.Namespace}/{reply.Pod.Name}: {reply.Pod.Address} on {reply.Pod.Node}, {reply.Pod.Identity}");
            return ExitCodes.Ok;
        }
    }

    private static Dictionary<string, string> CurrentEnvironment() =>
        Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().ToDictionary(e => (string)e.Key, e => (string?)e.Value ?? string.Empty, StringComparer.Ordinal);
}
