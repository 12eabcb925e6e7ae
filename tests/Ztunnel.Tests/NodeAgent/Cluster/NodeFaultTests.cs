using System.Text;
using Mesh.Runtime.Metrics;
using Mesh.Testing;
using Mesh.Ztunnel.NodeAgent;
using Mesh.Ztunnel.NodeAgent.Cluster;

namespace Mesh.Ztunnel.Tests.NodeAgent.Cluster;

/// <summary>Bad days of a node: each is an Event and a number of the metrics page, as long as it lasts.</summary>
public sealed class NodeFaultTests : ClusterPodsRig
{
    [Fact]
    public async Task PodThatCannotTakePart_IsCounted_UntilItIsGone()
    {
        PutPod("h", "10.0.0.1", hostNetwork: true);
        await NextAsync(_ => true);
        await EventAsync("NotCaptured", "hostNetwork", "h");
        Assert.Contains("ztunnel_node_faults{fault=\"not_captured\"} 1", Page(), StringComparison.Ordinal);
        Remove("shop", "h");
        await UntilAsync(NodeFault.NotCaptured, 0);
    }

    [Theory]
    [InlineData("ambient.istio.io/dns-capture", "perhaps", "with the value \"perhaps\"")]
    [InlineData("ambient.istio.io/bypass-inbound-capture", "yes", "write \"true\" or \"false\"")]
    [InlineData("ambient.istio.io/dns-captur", "false", "it is none of ambient.istio.io/dns-capture")]
    public async Task AnnotationThatNobodyUnderstands_IsTold_AndThePodIsCapturedAllTheSame(string name, string value, string told)
    {
        PutPod("a", "10.0.0.1", annotations: $$"""{"{{name}}":"{{value}}"}""");
        Assert.Equal(["a"], Names(await NextAsync(s => s.Count > 0)));
        await EventAsync("UnknownValue", told, "a");
        Assert.Equal(1, Faults.Count(NodeFault.UnknownValue));
    }

    [Fact]
    public async Task NamespaceThatIsNotFound_AndCaptureThatFails_AreCountedUntilThePodIsCaptured()
    {
        PutPod("a", "10.0.0.1");
        var pod = (await NextAsync(s => s.Count > 0))[0];
        Pods.NotFound(pod, "no process of it runs");
        Pods.CaptureFailed(pod.Uid, "no listener");
        Assert.Equal((1, 1), (Faults.Count(NodeFault.NamespaceNotFound), Faults.Count(NodeFault.CaptureFailed)));
        Pods.Captured(pod.Uid);
        Assert.Equal((0, 0), (Faults.Count(NodeFault.NamespaceNotFound), Faults.Count(NodeFault.CaptureFailed)));
    }

    [Theory]
    [InlineData("other", "app", "ztunnel", "another mesh's agent (other/second)")]
    [InlineData("kube-system", "k8s-app", "istio-cni-node", "both write capture rules")]
    public async Task SecondMeshOnTheNode_IsToldOnTheAgentsOwnPod_UntilItIsGone(string ns, string label, string value, string told)
    {
        PutPod("second", "10.0.0.2", ns: ns, labels: $$"""{"{{label}}":"{{value}}"}""");
        await UntilAsync(NodeFault.SecondMesh, 1);
        // Its own pod may be seen later than what is wrong with its node.
        PutPod("ztunnel-n1", "10.0.0.3", ns: "istio-system", labels: """{"app":"ztunnel"}""");
        await EventAsync("SecondMesh", told, "ztunnel-n1");
        Remove(ns, "second");
        await UntilAsync(NodeFault.SecondMesh, 0);
    }

    [Fact]
    public async Task StartWhileTheApiServerIsAway_IsCounted_AndToldWhenItIsBack()
    {
        PutPod("ztunnel-n1", "10.0.0.3", ns: "istio-system", labels: """{"app":"ztunnel"}""");
        PutPod("a", "10.0.0.1");
        await NextAsync(s => s.Count > 0);
        await Pods.DisposeAsync();
        await Server.StopAsync();
        Begin();
        Assert.Equal(["a"], Names(await NextAsync(_ => true)));
        Assert.NotEqual(0, Faults.Count(NodeFault.ApiServerAway));
        await Server.StartAsync();
        await EventAsync("ApiServerAway", "the 1 pods that it knew were served", "ztunnel-n1");
        await UntilAsync(NodeFault.ApiServerAway, 0);
    }

    /// <summary>What happens to pods that are served because the agent knew them cannot be told yet: it is as soon as the API server names them.</summary>
    [Fact]
    public async Task WhatHappensToPodsWhileTheApiServerIsAway_IsCountedAtOnce_AndToldWhenItIsBack()
    {
        foreach (var (name, address) in new[] { ("repaired", "10.0.0.1"), ("failed", "10.0.0.2"), ("lost", "10.0.0.3"), ("late", "10.0.0.4"), ("gone", "10.0.0.5") })
            PutPod(name, address);
        await NextAsync(s => s.Count == 5);
        await Pods.DisposeAsync();
        await Server.StopAsync();
        Begin();
        var known = (await NextAsync(_ => true)).ToDictionary(p => p.Info.Name, StringComparer.Ordinal);
        Pods.Captured(known["repaired"].Uid);
        Pods.Repaired(known["repaired"].Uid);
        Pods.CaptureFailed(known["failed"].Uid, "no listener");
        Pods.NotFound(known["lost"], "no process of it runs");
        Pods.CaptureFailed(known["late"].Uid, "too early");
        Pods.Captured(known["late"].Uid);
        Pods.CaptureFailed(known["gone"].Uid, "no listener");
        Assert.Equal((2, 1), (Faults.Count(NodeFault.CaptureFailed), Faults.Count(NodeFault.NamespaceNotFound)));
        Remove("shop", "gone");
        await Server.StartAsync();
        await EventAsync("RulesRepaired", "half written by an earlier agent", "repaired");
        await EventAsync("CaptureFailed", "no listener", "failed");
        await EventAsync("NamespaceNotFound", "no process of it runs", "lost");
        await MarkAsync("late", "enabled");
        await UntilAsync(NodeFault.CaptureFailed, 1);
        Assert.DoesNotContain(Events(), e => e is ("late", "CaptureFailed", _));
    }

    [Fact]
    public async Task RepairWhileTheApiServerIsAway_IsToldWhenItIsBack()
    {
        PutPod("a", "10.0.0.1");
        var pod = (await NextAsync(s => s.Count > 0))[0];
        await Server.StopAsync();
        Pods.Repaired(pod.Uid);
        while (Faults.Count(NodeFault.ApiServerAway) == 0)
            await Task.Delay(10, Patience.Token);
        await Server.StartAsync();
        await EventAsync("RulesRepaired", "written again", "a");
    }

    [Fact]
    public async Task ApiServerThatGoesAway_IsCountedWhileItIs_AndToldWhenItIsBack()
    {
        PutPod("ztunnel-n1", "10.0.0.3", ns: "istio-system", labels: """{"app":"ztunnel"}""");
        await NextAsync(_ => true);
        await Server.StopAsync();
        while (Faults.Count(NodeFault.ApiServerAway) == 0)
            await Task.Delay(10, Patience.Token);
        await Server.StartAsync();
        await UntilAsync(NodeFault.ApiServerAway, 0);
        await EventAsync("ApiServerAway", "did not answer for a while", "ztunnel-n1");
    }

    /// <summary>API servers forget Events after an hour.</summary>
    [Fact]
    public async Task WhatStillStands_IsToldAgain_AndWhatIsOverIsNot()
    {
        TellAgain = TimeSpan.FromMilliseconds(50);
        await RestartAsync(KnownPods);
        PutPod("ztunnel-n1", "10.0.0.3", ns: "istio-system", labels: """{"app":"ztunnel"}""");
        PutPod("host", "10.0.0.1", hostNetwork: true);
        PutPod("odd", "10.0.0.2", annotations: """{"ambient.istio.io/dns-capture":"perhaps"}""");
        PutPod("second", "10.0.0.4", ns: "other", labels: """{"app":"ztunnel"}""");
        var odd = (await NextAsync(s => s.Count > 0))[0];
        Pods.CaptureFailed(odd.Uid, "no listener");
        Pods.NotFound(odd, "no process of it runs");
        await TimesAsync(3, ("host", "NotCaptured"), ("odd", "UnknownValue"), ("odd", "CaptureFailed"), ("odd", "NamespaceNotFound"), ("ztunnel-n1", "SecondMesh"));
        Pods.Captured(odd.Uid);
        Assert.DoesNotContain(Faults.All(), f => f.Fault is NodeFault.CaptureFailed or NodeFault.NamespaceNotFound);
    }

    /// <summary>What is on a full disk cannot be written; here its place is a folder that is not there.</summary>
    [Fact]
    public async Task KnownPodsThatCannotBeKept_AreToldOnTheAgentsOwnPod_UntilTheyCan()
    {
        var folder = Path.Combine(Path.GetTempPath(), $"full-{Guid.NewGuid():N}");
        await RestartAsync(Path.Combine(folder, "pods.json"));
        PutPod("ztunnel-n1", "10.0.0.3", ns: "istio-system", labels: """{"app":"ztunnel"}""");
        PutPod("a", "10.0.0.1");
        await NextAsync(s => s.Count > 0);
        await EventAsync("StateNotKept", "make room on the node's disk", "ztunnel-n1");
        Directory.CreateDirectory(folder);
        PutPod("b", "10.0.0.2");
        await NextAsync(s => s.Count > 1);
        Assert.Equal(0, Faults.Count(NodeFault.StateNotKept));
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData(300, "5 min ahead of")]
    [InlineData(-45, "half a minute behind")]
    public async Task ClockThatIsNotTheApiServers_IsToldOnTheAgentsOwnPod(int ahead, string told)
    {
        Time = new OtherClock(TimeSpan.FromSeconds(ahead));
        await RestartAsync(KnownPods);
        PutPod("ztunnel-n1", "10.0.0.3", ns: "istio-system", labels: """{"app":"ztunnel"}""");
        await EventAsync("ClockSkew", $"the clock of node n1 is {told} the API server's", "ztunnel-n1");
        Assert.Equal(1, Faults.Count(NodeFault.ClockSkew));
        Pods.TakeServerDate(Time.GetUtcNow());
        Assert.Equal(0, Faults.Count(NodeFault.ClockSkew));
    }

    [Fact]
    public async Task PluginThatCannotBeChained_IsToldOnTheAgentsOwnPod_UntilItIs()
    {
        PutPod("ztunnel-n1", "10.0.0.3", ns: "istio-system", labels: """{"app":"ztunnel"}""");
        Pods.TakePlugin("new pods of this node start outside the mesh: there is no network configuration yet");
        await EventAsync("CniNotChained", "there is no network configuration yet", "ztunnel-n1");
        Assert.Contains("ztunnel_node_faults{fault=\"cni_not_chained\"} 1", Page(), StringComparison.Ordinal);
        Pods.TakePlugin(null);
        Assert.Equal(0, Faults.Count(NodeFault.CniNotChained));
    }

    [Fact]
    public async Task Page_OfAGoodNode_HasAZeroForEachFault()
    {
        await NextAsync(_ => true);
        foreach (var fault in (string[])["not_captured", "unknown_value", "namespace_not_found", "capture_failed", "second_mesh", "api_server_away", "clock_skew", "state_not_kept", "cni_not_chained"])
            Assert.Contains($"ztunnel_node_faults{{fault=\"{fault}\"}} 0", Page(), StringComparison.Ordinal);
    }

    /// <summary>Either way: what the agent tells is in the table, and what the table says of agents is told.</summary>
    [Fact]
    public void Table_OfTheDocumentation_HasEachFault_AndNoOther()
    {
        var rows = BadDays.Rows().Where(r => r.Metric.StartsWith("ztunnel_", StringComparison.Ordinal)).ToList();
        Assert.Equal(Enum.GetNames<NodeFault>().Append("RulesRepaired").Order(StringComparer.Ordinal), rows.Select(r => r.Reason).Distinct().Order(StringComparer.Ordinal));
        foreach (var row in rows.Where(r => r.Reason != "RulesRepaired"))
            Assert.Contains($"{row.Metric} 0\n", Page(), StringComparison.Ordinal);
    }

    private async Task RestartAsync(string knownPods)
    {
        await Pods.DisposeAsync();
        KnownPods = knownPods;
        Begin();
        await NextAsync(_ => true);
    }

    private string Page()
    {
        var registry = new MetricRegistry();
        Faults.Register(registry);
        return Encoding.UTF8.GetString(registry.Render().Span);
    }

    private async Task UntilAsync(NodeFault fault, int count)
    {
        while (Faults.Count(fault) != count)
            await Task.Delay(10, Patience.Token);
    }

    private async Task TimesAsync(int times, params (string Pod, string Reason)[] wanted)
    {
        while (wanted.Any(w => !Events().Any(e => e.Pod == w.Pod && e.Reason == w.Reason && e.Times >= times)))
            await Task.Delay(10, Patience.Token);
    }

    private sealed class OtherClock(TimeSpan ahead) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + ahead;
    }
}
