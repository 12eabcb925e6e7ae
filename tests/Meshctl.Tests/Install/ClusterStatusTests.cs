using System.Text.Json;
using System.Text.Json.Nodes;

using Mesh.Kubernetes.Connection;
using Mesh.Kubernetes.Requests;
using Mesh.Meshctl.Commands;
using Mesh.Meshctl.Install;
using Mesh.Meshctl.Install.Status;
using Mesh.Testing.Kubernetes;
using Mesh.Testing.Kubernetes.Access;

namespace Mesh.Meshctl.Tests.Install;

/// <summary>What a person is told of a mesh in a cluster, from objects alone, with no more rights than are named.</summary>
public sealed class ClusterStatusTests : ClusterStatusRig
{
    [Fact]
    public async Task Pods_ThatAskedAndAreNotCaptured_AreNamedWithTheReason()
    {
        PutPod("istio-system", "ztunnel-1", "n1", label: ("app", "ztunnel"), ready: true);
        PutPod("shop", "in", "n1", mark: "enabled");
        PutPod("shop", "told", "n1", mark: "pending");
        PutPod("shop", "new", "n1");
        PutPod("shop", "alone", "n2");
        PutPod("shop", "optedout", "n1", label: ("istio.io/dataplane-mode", "none"));
        PutPod("default", "stranger", "n1");
        PutPod("default", "single", "n1", label: ("istio.io/dataplane-mode", "ambient"), mark: "enabled");
        PutEvent("Pod", "shop", "told", "CaptureFailed", "no listener");

        var status = await ReadAsync();

        Assert.Equal([new NamespaceStatus("default", 1, 1), new NamespaceStatus("shop", 4, 1)], status.Namespaces);
        Assert.Equal(["shop/alone", "shop/new", "shop/told"], status.Outside.Select(p => p.Pod));
        Assert.Contains("no agent is ready on its node: kubectl -n istio-system get pods -l app=ztunnel --field-selector spec.nodeName=n2", status.Outside[0].Reason, StringComparison.Ordinal);
        Assert.Contains("has not said anything", status.Outside[1].Reason, StringComparison.Ordinal);
        Assert.Equal(("pending", "no listener"), (status.Outside[2].State, status.Outside[2].Reason));
    }

    /// <summary>Every Event of the table of bad days comes from one of these two; those of others are not ours to repeat.</summary>
    [Theory]
    [InlineData("mesh.io/ztunnel", "Pod", "shop", "web", "RulesRepaired")]
    [InlineData("mesh.io/ztunnel", "Pod", "istio-system", "ztunnel-1", "ClockSkew")]
    [InlineData("istiod-lite", "Namespace", "", "shop", "Suspicious")]
    [InlineData("kubelet", "Pod", "shop", "web", null)]
    public async Task Events_OfTheMesh_AreRepeated_ThoseOfOthersAreNot(string controller, string kind, string ns, string name, string? told)
    {
        PutEvent(kind, ns, name, told ?? "Pulled", "something happened", controller, count: 3);
        var events = (await ReadAsync()).Events;
        Assert.Equal(told is null ? [] : [(ns.Length == 0 ? $"{kind} {name}" : $"{kind} {ns}/{name}", told, 3, "something happened")], events.Select(e => (e.On, e.Reason, e.Count, e.Text)));
    }

    [Fact]
    public async Task Labels_ThatDoNothing_AreNamedOnce()
    {
        Server.Put("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"typo","labels":{"istio.io/dataplane-mod":"ambient"}}}""");
        PutPod("shop", "a", "n1", label: ("istio.io/dataplane-mode", "ambiant"));
        PutPod("shop", "b", "n1", label: ("istio.io/dataplane-mode", "ambiant"));
        Assert.Equal(
            ["namespace typo: istio.io/dataplane-mod has no effect; did you mean istio.io/dataplane-mode?", "pods of shop: istio.io/dataplane-mode=ambiant has no effect; it knows ambient, none"],
            (await ReadAsync()).Labels.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task NetworkPolicies_ThatLeaveTheMeshOut_AreNamedWithTheRemedy()
    {
        Server.Put("""{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"web","namespace":"shop"},"spec":{"podSelector":{},"ingress":[{"ports":[{"port":8080}]}]}}""");
        var blocked = Assert.Single((await ReadAsync()).NetworkPolicies);
        Assert.Equal("shop/web", blocked.Policy);
        Assert.Contains("\"port\":15008", blocked.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Parts_SayWhatIsNotReady_AndWhoLeads()
    {
        Assert.Contains("NOT INSTALLED: meshctl install", (await ReadAsync()).Parts.Single().State, StringComparison.Ordinal);
        Server.Put("""{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"ztunnel","namespace":"istio-system","labels":{"app.kubernetes.io/part-of":"mesh"}},"status":{"observedGeneration":9,"desiredNumberScheduled":3,"updatedNumberScheduled":3,"numberAvailable":2}}""");
        Server.Put("""{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"istiod-lite","namespace":"istio-system"},"spec":{"holderIdentity":"istiod-1"}}""");
        var parts = (await ReadAsync()).Parts;
        Assert.Equal([new PartStatus("DaemonSet istio-system/ztunnel", "NOT READY: 2 of 3 pods ready, 3 of this version"), new PartStatus("leader istiod-lite", "istiod-1")], parts);
    }

    /// <summary>Nobody may be left who could tell it: the lease itself does.</summary>
    [Theory]
    [InlineData(1, "istiod-1")]
    [InlineData(4, "NONE: istiod-1 was the last one and has not renewed since")]
    public async Task Leader_ThatDoesNotRenew_IsNone(int minutes, string told)
    {
        Server.Put($$$"""{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"istiod-lite","namespace":"istio-system"},"spec":{"holderIdentity":"istiod-1","renewTime":"{{{DateTimeOffset.UtcNow.AddMinutes(-minutes):yyyy-MM-ddTHH:mm:ss.ffffffZ}}}"} }""");
        Assert.StartsWith(told, (await ReadAsync()).Parts.Single().State, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Command_NeedsExactlyTheRightsThatAreNamed_AndPrintsForPeopleAndPrograms()
    {
        PutPod("shop", "alone", "n2");
        Assert.Equal(0, await StatusCommand.RunAsync(new StatusOptions { Kubeconfig = Kubeconfig }, TimeProvider.System));
        Assert.Equal(0, await StatusCommand.RunAsync(new StatusOptions { Kubeconfig = Kubeconfig, Json = true }, TimeProvider.System));
        var json = JsonSerializer.Serialize(await ReadAsync(), ClusterStatusJson.Default.ClusterStatus);
        Assert.Equal("shop/alone", (string?)JsonNode.Parse(json)!["outside"]![0]!["pod"]);
        var coverage = new RoleCoverage(Server, "viewer");
        Assert.True(coverage.Refused.Count == 0, string.Join('\n', coverage.Refused));
        Assert.True(coverage.Unused.Count == 0, string.Join('\n', coverage.Unused));
    }
}
