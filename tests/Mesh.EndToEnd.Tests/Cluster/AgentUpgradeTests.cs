using System.Net;
using System.Net.Sockets;

using Mesh.EndToEnd.Tests.Harness;
using Mesh.Net;
using Mesh.Testing.Kubernetes;

namespace Mesh.EndToEnd.Tests.Cluster;

/// <summary>
/// A surging DaemonSet for a while has the old agent and the new one on the same node: each in a network namespace of its own, as their pods are, and
/// both in that of the captured pod. Its process is found by a stand-in for the node's /proc.
/// </summary>
public sealed class AgentUpgradeTests : IAsyncLifetime
{
    private const string PodAddress = "198.18.51.2";
    private const string ServerAddress = "198.18.51.3";
    private const int Port = 7000;
    private const string Uid = "5b1f7c1e-0000-4000-8000-000000000051";

    private static readonly string[] Namespaces = ["pod", "server", "old", "new"];

    private readonly FakeApiServer _server = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("mesh-upgrade-").FullName;
    private readonly List<IDisposable> _doors = [];

    public async Task InitializeAsync()
    {
        await _server.StartAsync();
        _server.Put("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"istio.io/dataplane-mode":"ambient"}}}""");
        _server.Put($$$"""{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop","uid":"{{{Uid}}}"},"spec":{"nodeName":"n1","serviceAccountName":"web","containers":[]},"status":{"phase":"Running","podIP":"{{{PodAddress}}}","podIPs":[{"ip":"{{{PodAddress}}}"}]}}""");
        _server.Put("""{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"ztunnel","namespace":"istio-system"},"spec":{}}""");
        await File.WriteAllTextAsync(Path.Combine(_folder, "kubeconfig"), _server.KubeConfig(_server.ActAs(Repository.Manifest, "istio-system", "ztunnel")));
        await File.WriteAllTextAsync(Path.Combine(_folder, "static.yaml"), $$$"""
            workloads:
            - {uid: Kubernetes//Pod/shop/web, name: web, namespace: shop, serviceAccount: web, trustDomain: cluster.local, workloadName: web, canonicalName: web, workloadIps: ["{{{PodAddress}}}"], protocol: HBONE, node: n1, services: {}}

            """);
    }

    public async Task DisposeAsync()
    {
        _doors.ForEach(d => d.Dispose());
        await _server.DisposeAsync();
        foreach (var name in Namespaces)
            await Command.RunAsync(["ip", "netns", "del", NameOf(name)]);
        Directory.Delete(_folder, recursive: true);
    }

    [AgentFact]
    public async Task Surge_NewConnectionsGoToTheNewAgentAtOnce_OldOnesEndByThemselves_NoneIsCut()
    {
        await MakeNodeAsync();
        using var pod = NetworkNamespace.Open($"/run/netns/{NameOf("pod")}");
        using var old = Start("old");
        await Wait.UntilAsync(async () => await ListenersAsync() == 1, () => $"the old agent's listener; so far: {old.OutputSoFar}");
        await Wait.UntilAsync(() => Marked() == "enabled", () => "the mark on the pod");
        using var lasting = await ConnectAsync(pod);
        await EchoAsync(lasting, "before");

        // Short connections all the time: each has to succeed, whichever agent is there.
        using var enough = new CancellationTokenSource();
        var traffic = Task.Run(async () =>
        {
            var count = 0;
            for (; !enough.IsCancellationRequested; count++)
            {
                using var one = await ConnectAsync(pod);
                await EchoAsync(one, "short");
            }
            return count;
        });

        using var successor = Start("new");
        await Wait.UntilAsync(async () => await ListenersAsync() == 2, () => $"both agents' listeners; so far: {successor.OutputSoFar}");
        await old.SignalAsync("TERM");
        await Wait.UntilAsync(async () => await ListenersAsync() == 1, () => $"the end of the old listener; so far: {old.OutputSoFar}");
        using var fresh = await ConnectAsync(pod);
        await EchoAsync(fresh, "fresh");
        await EchoAsync(lasting, "the old agent still carries what it had");
        Assert.DoesNotContain("shutdown complete", old.OutputSoFar, StringComparison.Ordinal);

        lasting.Dispose();
        (await old.EndAsync()).Expect(0);
        await EchoAsync(fresh, "the new agent is not concerned");
        await enough.CancelAsync();
        Assert.True(await traffic > 0);
        Assert.Equal("enabled", Marked());
        Assert.Contains("istio-ambient", (await InAsync("pod", "nft", "list", "ruleset")).Output, StringComparison.Ordinal);
    }

    private async Task MakeNodeAsync()
    {
        foreach (var name in Namespaces)
        {
            (await Command.RunAsync(["ip", "netns", "add", NameOf(name)])).Expect(0);
            (await InAsync(name, "ip", "link", "set", "lo", "up")).Expect(0);
        }
        (await InAsync("pod", "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", NameOf("server"))).Expect(0);
        foreach (var (name, address) in new[] { ("pod", PodAddress), ("server", ServerAddress) })
        {
            (await InAsync(name, "ip", "address", "add", $"{address}/24", "dev", "eth0")).Expect(0);
            (await InAsync(name, "ip", "link", "set", "eth0", "up")).Expect(0);
        }
        // A connection that is just being made when a listener closes moves to the other one (docs/kubernetes.md, Upgrade).
        await InAsync("pod", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/tcp_migrate_req");

        Process(1, "0::/init.scope", $"/run/netns/{NameOf("old")}");
        Process(4711, $"0::/kubepods.slice/kubepods-pod{Uid}.slice/cri-containerd-ab.scope", $"/run/netns/{NameOf("pod")}");
        using var server = NetworkNamespace.Open($"/run/netns/{NameOf("server")}");
        _doors.Add(new Door(server, new IPEndPoint(IPAddress.Any, Port)));
        foreach (var name in (string[])["old", "new"])
        {
            using var agent = NetworkNamespace.Open($"/run/netns/{NameOf(name)}");
            _doors.Add(new Door(agent, new IPEndPoint(IPAddress.Loopback, _server.Address.Port), null, () => new IPEndPoint(IPAddress.Loopback, _server.Address.Port)));
        }
    }

    private void Process(int id, string cgroup, string network)
    {
        var folder = Path.Combine(_folder, "proc", $"{id}");
        Directory.CreateDirectory(Path.Combine(folder, "ns"));
        File.WriteAllText(Path.Combine(folder, "cgroup"), cgroup + "\n");
        File.WriteAllText(Path.Combine(folder, "stat"), $"{id} (pause) S 1 {id} {id} 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {id} 100 200\n");
        File.CreateSymbolicLink(Path.Combine(folder, "ns", "net"), network);
    }

    private Command Start(string name) => Command.Start([
        "ip", "netns", "exec", NameOf(name), "env",
        "NODE_NAME=n1", "POD_NAMESPACE=istio-system", "ZTUNNEL_POD_SOURCE=kubernetes", $"ZTUNNEL_KUBECONFIG={_folder}/kubeconfig", $"ZTUNNEL_NODE_PROC={_folder}/proc", $"ZTUNNEL_NODE_CGROUPS={_folder}/cgroup",
        $"INPOD_UDS={_folder}/ztunnel.sock", "XDS_ADDRESS=", "CA_ADDRESS=", $"LOCAL_XDS_PATH={_folder}/static.yaml", "CONNECTION_TERMINATION_DEADLINE=100s", Repository.Program("ztunnel"),
    ]);

    private static string NameOf(string name) => $"mesh-up-{Environment.ProcessId}-{name}";

    private static Task<CommandResult> InAsync(string name, params string[] command) => Command.RunAsync(["ip", "netns", "exec", NameOf(name), .. command]);

    private static async Task<int> ListenersAsync() => (await InAsync("pod", "ss", "-Hltn")).Output.Split('\n').Count(l => l.Contains(":15001 ", StringComparison.Ordinal));

    private string? Marked() => (string?)_server.Get("", "pods", "shop", "web")!["metadata"]!["annotations"]?["ambient.istio.io/redirection"];

    private static async Task<Socket> ConnectAsync(NetworkNamespace pod)
    {
        using var patience = new CancellationTokenSource(Command.Patience);
        var socket = pod.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse(ServerAddress), Port), patience.Token);
        return socket;
    }

    private static async Task EchoAsync(Socket socket, string text)
    {
        using var patience = new CancellationTokenSource(Command.Patience);
        var sent = System.Text.Encoding.ASCII.GetBytes(text);
        await socket.SendAsync(sent, patience.Token);
        var received = new byte[sent.Length];
        for (var count = 0; count < received.Length;)
        {
            var more = await socket.ReceiveAsync(received.AsMemory(count), patience.Token);
            Assert.True(more > 0, $"the connection ended before it gave back \"{text}\"");
            count += more;
        }
        Assert.Equal(sent, received);
    }
}
