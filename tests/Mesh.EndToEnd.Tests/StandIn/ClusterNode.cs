using System.Globalization;
using System.Net;

using Mesh.EndToEnd.Tests.Harness;
using Mesh.Net;

namespace Mesh.EndToEnd.Tests.StandIn;

/// <summary>
/// A node of a cluster on one machine: network, mounts and processes of its own, with a bridge for pods. Everything in it ends with its first process.
/// </summary>
internal sealed class ClusterNode : IAsyncDisposable
{
    /// <summary>Where the pod network keeps its programs and configuration; below /run, which each node has for itself, on what the node has for a disk.</summary>
    public const string PluginFolder = "/run/cni/bin";
    public const string NetworkFolder = "/run/cni/net.d";

    private const string Bridge = "cni0";

    // The first process adopts what other programs leave, as an init does.
    private const string Init = $$"""
        set -e
        mount -t tmpfs tmpfs /run
        mkdir -p /run/netns /run/cni
        mount --bind "$1" /run/cni
        mount --bind /run/netns /run/netns
        mount --make-rshared /run/netns
        mkdir -p {{PluginFolder}} {{NetworkFolder}}
        [ -n "$(ls {{NetworkFolder}})" ] || echo '{"cniVersion":"1.0.0","name":"pods","plugins":[{"type":"stand-in"}]}' > {{NetworkFolder}}/10-pods.conflist
        ip link set lo up
        ip link add {{Bridge}} type bridge
        ip address add "$0/24" dev {{Bridge}}
        ip link set {{Bridge}} up
        echo ready
        trap 'exit 0' TERM
        while :; do sleep 1000 & wait $!; done
        """;

    private readonly Command _command;
    private readonly int _first;

    private ClusterNode(string name, string address, Command command, int first)
    {
        (Name, Address, _command, _first) = (name, address, command, first);
        Network = NetworkNamespace.Open($"/proc/{first}/ns/net");
    }

    public string Name { get; }

    public string Address { get; }

    public NetworkNamespace Network { get; }

    /// <param name="disk">What outlives the node's power.</param>
    public static async Task<ClusterNode> StartAsync(string name, string address, string disk)
    {
        Directory.CreateDirectory(disk);
        var command = Command.Start(["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private", "bash", "-c", $"exec 2>&1\n{Init}", address, disk]);
        await command.SaysAsync("ready\n");
        var first = (await File.ReadAllTextAsync($"/proc/{command.ProcessId}/task/{command.ProcessId}/children")).Trim();
        return new ClusterNode(name, address, command, int.Parse(first, CultureInfo.InvariantCulture));
    }

    /// <summary>A cable between the bridges of two nodes.</summary>
    public async Task JoinAsync(ClusterNode other)
    {
        var (here, there) = ($"to-{other.Name}", $"to-{Name}");
        await other.RunAsync("ip", "link", "del", there); // of a node of this name that is no more
        (await Command.RunAsync(["nsenter", "--target", Text(_first), "--net", "ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", Text(other._first)])).Expect(0);
        foreach (var (node, end) in ((ClusterNode, string)[])[(this, here), (other, there)])
            (await node.RunAsync("ip", "link", "set", end, "master", Bridge, "up")).Expect(0);
    }

    /// <summary>A network namespace with one interface on the node's bridge: what a pod network's own plugin makes.</summary>
    public async Task AddNetworkAsync(string name, string address)
    {
        var outside = $"v{Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(5))}";
        await ShellAsync($"""
            set -e
            ip netns add {name}
            ip link add {outside} type veth peer name eth0 netns {name}
            ip link set {outside} master {Bridge} up
            ip -n {name} link set lo up
            ip -n {name} address add {address}/24 dev eth0
            ip -n {name} link set eth0 up
            ip -n {name} route add default via {Address}
            # A connection that is just being made when a listener closes moves to the other one (docs/kubernetes.md, Upgrade).
            ip netns exec {name} sh -c 'echo 1 > /proc/sys/net/ipv4/tcp_migrate_req' || true
            """);
    }

    public Task RemoveNetworkAsync(string name) => RunAsync("ip", "netns", "del", name);

    /// <summary>The command line that runs a program in the node.</summary>
    public string[] Enter(params string[] command) => ["nsenter", "--target", Text(_first), "--net", "--mount", "--pid", "--", .. command];

    public Task<CommandResult> RunAsync(params string[] command) => Command.RunAsync(Enter(command));

    public async Task<string> ShellAsync(string script) => (await RunAsync("sh", "-c", script)).Expect(0).Output;

    /// <summary>The node loses its power: every process and namespace of it is gone.</summary>
    public async ValueTask DisposeAsync()
    {
        Network.Dispose();
        await _command.SignalAsync("KILL");
        await _command.EndAsync();
        _command.Dispose();
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
