using System.Net;
using System.Net.Sockets;
using Mesh.Net;
using Mesh.Testing;
using Mesh.Ztunnel.Capture;
using Mesh.Ztunnel.Settings;
using Mesh.Ztunnel.Tests.NodeAgent;

namespace Mesh.Ztunnel.Tests.Capture;

/// <summary>A node and a captured pod, two real namespaces: whose connections reach the program itself.</summary>
public sealed class ProbeRulesTests : IDisposable
{
    private static readonly IPAddress PodAddress = IPAddress.Parse("198.18.9.2");

    private readonly List<IDisposable> _open = [];

    public void Dispose() => _open.ForEach(o => o.Dispose());

    private (NetworkNamespace Node, NetworkNamespace Pod) Cable()
    {
        var (node, pod) = (NetworkNamespace.CreateUnnamed(), NetworkNamespace.CreateUnnamed());
        _open.AddRange([node, pod]);
        NodeLayout.Run(node, "ip", "link", "add", "veth0", "type", "veth", "peer", "name", "eth0", "netns", NodeLayout.PathOf(pod));
        foreach (var (network, device, address) in new[] { (node, "veth0", "198.18.9.1/24"), (pod, "eth0", "198.18.9.2/24") })
        {
            NodeLayout.Run(network, "ip", "link", "set", "lo", "up");
            NodeLayout.Run(network, "ip", "address", "add", address, "dev", device);
            NodeLayout.Run(network, "ip", "link", "set", device, "up");
        }
        NodeLayout.Run(pod, "ip", "route", "add", "default", "via", "198.18.9.1");
        return (node, pod);
    }

    private Socket Listen(NetworkNamespace pod)
    {
        var listener = pod.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        _open.Add(listener);
        listener.Bind(new IPEndPoint(IPAddress.Any, 8080));
        listener.Listen(8);
        return listener;
    }

    private async Task<bool> ReachesAsync(NetworkNamespace node)
    {
        var socket = node.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        _open.Add(socket);
        try
        {
            await socket.ConnectAsync(PodAddress, 8080).WaitAsync(TimeSpan.FromSeconds(20));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    [RootFact("ip", "nft")]
    public Task Probe_OfTheNode_ReachesTheProgram_WithNftables() => ProbeAsync(CaptureRules.Nftables);

    [RootFact("ip", "iptables", "iptables-restore")]
    public Task Probe_OfTheNode_ReachesTheProgram_WithIptables() => ProbeAsync(CaptureRules.Iptables);

    private async Task ProbeAsync(CaptureRules kind)
    {
        var (node, pod) = Cable();
        var listener = Listen(pod);
        await new CaptureInstaller(kind, dns: false, ipv6: true).InstallAsync(pod);
        // Captured: it is led to 15006, where nobody listens in this test.
        Assert.False(await ReachesAsync(node));

        var rules = new ProbeRules(kind, node, ipv6: true);
        await rules.SetAsync([PodAddress, IPAddress.Parse("fd00:18:9::2")]);
        Assert.True(await ReachesAsync(node));
        using (var accepted = await listener.AcceptAsync())
            Assert.Equal("169.254.7.127", ((IPEndPoint)accepted.RemoteEndPoint!).Address.ToString());

        // Somebody else's pod now, or none.
        await rules.SetAsync([IPAddress.Parse("198.18.9.77")]);
        Assert.False(await ReachesAsync(node));

        await rules.SetAsync([]);
        Assert.DoesNotContain("mesh", (await NamespaceCommand.TryAsync(node, "nft", ["list", "ruleset"])).Output, StringComparison.OrdinalIgnoreCase);
    }
}
