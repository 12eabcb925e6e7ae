using CommandLine;

using Mesh.Meshctl.Daemon;
using Mesh.Meshctl.Local;
using Mesh.Meshctl.Topology;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

[Verb("up", HelpText = "Start a mesh: nodes, control plane, node agents.")]
internal sealed class UpOptions : MeshOptions
{
    [Option('n', "nodes", Default = 2, HelpText = "Number of nodes, each with its own node agent.")]
    public int Nodes { get; set; } = 2;

    [Option("cert-ttl", Default = "24h", HelpText = "Lifetime of certificates: 90s, 10m, 24h; renewed at half of it.")]
    public string CertificateTtl { get; set; } = "24h";

    [Option("bare", Hidden = true, HelpText = "Only the network, without control plane and node agents.")]
    public bool Bare { get; set; }
}

internal static class UpCommand
{
    public static async Task<int> RunAsync(UpOptions options, TimeProvider time)
    {
        using var interrupted = new CancellationTokenSource();
        using var signals = Signals.Listen(_ => interrupted.Cancel());
        var state = options.State;
        await MeshLauncher.UpAsync(state, Plan(state, options), time, interrupted.Token);
        var name = state.Name == "default" ? string.Empty : $" --name {state.Name}";
        Console.WriteLine($"the mesh '{state.Name}' is up: {options.Nodes} nodes. Try: meshctl run{name} hello -- sh -c 'ip addr'");
        return ExitCodes.Ok;
    }

    public static DaemonOptions Plan(StateDirectory state, UpOptions options)
    {
        if (options.Nodes is < 1 or > AddressPlan.MaxNodes)
            throw new MeshctlException(ExitCodes.Usage, $"--nodes must be 1 to {AddressPlan.MaxNodes}, not {options.Nodes}.");
        if (!DurationText.TryParse(options.CertificateTtl, out var ttl) || ttl < TimeSpan.FromSeconds(10))
            throw new MeshctlException(ExitCodes.Usage, $"--cert-ttl must be a duration of at least 10s such as 90s, 10m or 24h, not '{options.CertificateTtl}'.");
        return new DaemonOptions
        {
            Name = state.Name,
            Root = Path.GetDirectoryName(state.Path)!,
            Nodes = options.Nodes,
            CertificateTtl = options.CertificateTtl,
            Bare = options.Bare,
        };
    }
}
