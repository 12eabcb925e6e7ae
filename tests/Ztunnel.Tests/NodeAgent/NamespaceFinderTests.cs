using Mesh.Net;
using Mesh.Testing;
using Mesh.Ztunnel.NodeAgent;

namespace Mesh.Ztunnel.Tests.NodeAgent;

/// <summary>From a pod to its namespace, with real namespaces.</summary>
public sealed class NamespaceFinderTests : IDisposable
{
    private readonly NodeLayout _node = new();

    public void Dispose() => _node.Dispose();

    private static NetworkNamespace Namespace(params string[] addresses)
    {
        var network = NetworkNamespace.CreateUnnamed();
        NodeLayout.Run(network, "ip", "link", "set", "lo", "up");
        foreach (var address in addresses)
            NodeLayout.Run(network, "ip", "address", "add", address, "dev", "lo");
        return network;
    }

    [Fact]
    public void PodWithoutAProcess_IsNotThereYet() => Assert.Contains("no process of pod default/u1", _node.Finder.Find(NodeLayout.Pod("u1")).Reason, StringComparison.Ordinal);

    [Fact]
    public void PodOnTheNodesNetwork_CannotBeCaptured()
    {
        _node.Process(50, 500, NodeLayout.CgroupOf("u1"), "/proc/self/ns/net");
        var found = _node.Finder.Find(NodeLayout.Pod("u1"));
        Assert.Null(found.Namespace);
        Assert.Contains("the node's own network", found.Reason, StringComparison.Ordinal);
    }

    [RootFact("ip")]
    public void OldestProcess_IsTheSandbox()
    {
        using var sandbox = Namespace();
        using var nested = Namespace();
        _node.PodProcess(60, 900, "u1", nested);
        _node.PodProcess(70, 400, "u1", sandbox);
        _node.PodProcess(80, 100, "u2", nested);
        using var found = _node.Finder.Find(NodeLayout.Pod("u1")).Namespace;
        Assert.Equal(sandbox.Id, found!.Id);
    }

    [RootFact("ip")]
    public void NamespaceThatOwnsThePodsAddress_Wins_AndWithoutItThereIsNone()
    {
        using var other = Namespace("198.18.7.1/32");
        using var right = Namespace("198.18.7.2/32", "fd00:18:7::2/128");
        _node.PodProcess(60, 100, "u1", other);
        _node.PodProcess(70, 400, "u1", right);
        using (var found = _node.Finder.Find(NodeLayout.Pod("u1", "198.18.7.2")).Namespace)
            Assert.Equal(right.Id, found!.Id);
        using (var found = _node.Finder.Find(NodeLayout.Pod("u1", "fd00:18:7::2")).Namespace)
            Assert.Equal(right.Id, found!.Id);
        var none = _node.Finder.Find(NodeLayout.Pod("u1", "198.18.7.3"));
        Assert.Null(none.Namespace);
        Assert.Contains("none of the pod's addresses", none.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void NamespaceThatSomebodyNames_IsTaken()
    {
        using var own = NetworkNamespace.Current();
        using var found = _node.Finder.Find(NodeLayout.Pod("u1") with { NamespacePath = "/proc/self/ns/net" }).Namespace;
        Assert.Equal(own.Id, found!.Id);
        Assert.Contains("is not there", _node.Finder.Find(NodeLayout.Pod("u1") with { NamespacePath = "/run/netns/nobody" }).Reason, StringComparison.Ordinal);
    }
}
