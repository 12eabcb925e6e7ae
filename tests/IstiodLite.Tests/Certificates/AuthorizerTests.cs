using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Tests.Certificates;

public sealed class AuthorizerTests
{
    private static readonly ResourceSet _pods = new(Documents.Parse(
        Documents.Pod("a", "payment", "198.18.1.2") + Documents.Pod("b", "order", "198.18.2.2", node: "node-2")
        + Documents.Pod("c", "job", "198.18.1.3").Replace("Running", "Succeeded", StringComparison.Ordinal)).Resources);

    [Theory]
    [InlineData("spiffe://cluster.local/ns/default/sa/payment", true)]
    [InlineData("spiffe://cluster.local/ns/default/sa/order", false)] // on another node
    [InlineData("spiffe://cluster.local/ns/default/sa/job", false)] // its pod has ended
    [InlineData("spiffe://cluster.local/ns/other/sa/payment", false)]
    [InlineData("spiffe://elsewhere/ns/default/sa/payment", false)]
    [InlineData("payment", false)]
    [InlineData(null, true)] // its own
    public void Node_AsksFor_OnlyWhatRunsThere(string? identity, bool granted)
    {
        var decided = Authorizer.Decide(new NodeCaller("node-1"), identity, _pods, "cluster.local", "istio-system", out var reason);
        Assert.Equal(granted, decided is not null);
        Assert.Equal(granted, reason.Length == 0);
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData("spiffe://cluster.local/ns/default/sa/payment", true)]
    [InlineData("spiffe://cluster.local/ns/default/sa/order", false)]
    public void Workload_AsksFor_OnlyItself(string? identity, bool granted) =>
        Assert.Equal(granted, Authorizer.Decide(new WorkloadCaller("default", "payment", null), identity, _pods, "cluster.local", "istio-system", out _) is not null);
}
