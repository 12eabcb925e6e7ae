using System.Net;
using System.Text.Json.Nodes;
using Mesh.Kubernetes.Objects;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.NodeAgent.Cluster;

namespace Mesh.Ztunnel.Tests.NodeAgent.Cluster;

/// <summary>Which pods of the node are served.</summary>
public sealed class ClusterPodsTests : ClusterPodsRig
{
    [Fact]
    public async Task Watch_OfOptedInPodsOfThisNode_LeavesOutAllOthers()
    {
        PutPod("a", "10.0.0.1");
        PutPod("b", "10.0.0.2", node: "n2");
        PutPod("c", "10.0.0.3", ns: "default");
        PutPod("d", null);
        Assert.Equal(["a"], Names(await NextAsync(s => s.Count > 0)));
        var pod = Current[0];
        Assert.Equal(("shop", "account", IPAddress.Parse("10.0.0.1")), (pod.Info.Namespace, pod.Info.ServiceAccount, pod.Addresses[0]));
    }

    [Fact]
    public async Task LabelOfTheNamespace_WhenItComesAndGoes_TakesItsPodsAlong()
    {
        PutPod("c", "10.0.0.3", ns: "default");
        Assert.Empty(await NextAsync(_ => true));
        Label("default", "ambient");
        Assert.Equal(["c"], Names(await NextAsync(s => s.Count > 0)));
        Label("default", null);
        Assert.Empty(await NextAsync(s => s.Count == 0));
    }

    [Fact]
    public async Task Captured_ThenReleased_MarksThePodAndTakesTheMarkBack()
    {
        PutPod("a", "10.0.0.1");
        var pod = (await NextAsync(s => s.Count > 0))[0];
        Pods.Captured(pod.Uid);
        await MarkAsync("a", "enabled");
        Pods.CaptureFailed(pod.Uid, "no listener");
        await MarkAsync("a", "pending");
        await EventAsync("CaptureFailed", "no listener");
        Pods.Captured(pod.Uid);
        Pods.Released(pod.Uid);
        await MarkAsync("a", null);
    }

    [Fact]
    public async Task Released_WhileTheAgentLeaves_KeepsTheMarkForTheSuccessor()
    {
        PutPod("a", "10.0.0.1");
        var pod = (await NextAsync(s => s.Count > 0))[0];
        Pods.Captured(pod.Uid);
        await MarkAsync("a", "enabled");
        Pods.Leave();
        Pods.Released(pod.Uid);
        // Marks are written one after the other: this one comes after what the release would have written.
        PutPod("b", "10.0.0.2");
        Pods.Captured((await NextAsync(s => s.Count > 1)).Single(p => p.Info.Name == "b").Uid);
        await MarkAsync("b", "enabled");
        Assert.Equal("enabled", Mark("a"));
    }

    [Fact]
    public async Task Mark_LeftBehindOnAPodThatOptedOut_IsTakenBack()
    {
        PutPod("old", "10.0.0.9", ns: "default", annotations: """{"ambient.istio.io/redirection":"enabled"}""");
        await NextAsync(_ => true);
        await MarkAsync("old", null, "default");
    }

    [Fact]
    public async Task PodOnTheNodesNetwork_ThatAsked_IsToldWhyItStaysOutside()
    {
        PutPod("h", "10.0.0.1", hostNetwork: true);
        Assert.Empty(await NextAsync(_ => true));
        await EventAsync("NotCaptured", "hostNetwork");
    }

    [Fact]
    public async Task Announce_ByThePlugin_CapturesBeforeThePodHasAnAddress()
    {
        PutPod("new", null);
        Assert.Empty(await NextAsync(_ => true));
        Assert.Equal(Announcement.UnderWay, await Pods.AnnounceAsync(new ObjectKey("shop", "new"), "/run/netns/x", [IPAddress.Parse("10.0.0.7")], Patience.Token));
        var pod = (await NextAsync(s => s.Count > 0))[0];
        Assert.Equal(("/run/netns/x", "10.0.0.7"), (pod.NamespacePath, pod.Addresses[0].ToString()));
        Pods.Captured(pod.Uid);
        Assert.Equal(Announcement.Captured, await Pods.AnnounceAsync(new ObjectKey("shop", "new"), "/run/netns/x", [IPAddress.Parse("10.0.0.7")], Patience.Token));
    }

    [Fact]
    public async Task Announce_OfAPodThatDoesNotTakePart_SaysSo()
    {
        PutPod("c", null, ns: "default");
        await NextAsync(_ => true);
        Assert.Equal(Announcement.NotOurs, await Pods.AnnounceAsync(new ObjectKey("default", "c"), "/run/netns/x", [], Patience.Token));
    }

    [Fact]
    public async Task Start_WhileTheApiServerIsAway_ServesThePodsThatWereKnown()
    {
        PutPod("a", "10.0.0.1");
        await NextAsync(s => s.Count > 0);
        await Pods.DisposeAsync();
        await Server.StopAsync();
        Begin();
        Assert.Equal(["a"], Names(await NextAsync(_ => true)));
    }

    /// <summary>What the plugin named is of the pod's start: by now there are rules in it, or a restart of the node has taken it away.</summary>
    [Fact]
    public async Task Start_WhileTheApiServerIsAway_LooksForNamespacesAnew()
    {
        PutPod("new", null);
        await NextAsync(_ => true);
        await Pods.AnnounceAsync(new ObjectKey("shop", "new"), "/run/netns/x", [IPAddress.Parse("10.0.0.7")], Patience.Token);
        Assert.Equal("/run/netns/x", (await NextAsync(s => s.Count > 0))[0].NamespacePath);
        await Pods.DisposeAsync();
        await Server.StopAsync();
        Begin();
        var known = (await NextAsync(_ => true))[0];
        Assert.Equal((null, "10.0.0.7"), (known.NamespacePath, known.Addresses.Single().ToString()));
    }

    [Fact]
    public async Task Annotations_ThatWantAnotherCapture_ComeWithThePod_AndSurviveARestart()
    {
        PutPod("a", "10.0.0.1", annotations: """{"ambient.istio.io/dns-capture":"false","ambient.istio.io/bypass-inbound-capture":"true"}""");
        PutPod("b", "10.0.0.2", annotations: """{"ambient.istio.io/dns-capture":"perhaps"}""");
        var set = await NextAsync(s => s.Count > 1);
        Assert.Equal(new PodCapture(Dns: false, BypassInbound: true), set.Single(p => p.Info.Name == "a").Info.Capture);
        Assert.Equal(PodCapture.AsTheNode, set.Single(p => p.Info.Name == "b").Info.Capture);
        await Pods.DisposeAsync();
        await Server.StopAsync();
        Begin();
        set = await NextAsync(_ => true);
        Assert.Equal(new PodCapture(Dns: false, BypassInbound: true), set.Single(p => p.Info.Name == "a").Info.Capture);
    }

    [Fact]
    public async Task RulesThatWerePutRight_AndNamespacesThatAreNotFound_AreEventsOnThePod()
    {
        PutPod("a", "10.0.0.1");
        var pod = (await NextAsync(s => s.Count > 0))[0];
        Pods.Repaired(pod.Uid);
        await EventAsync("RulesRepaired", "had been changed");
        Pods.NotFound(pod, "no process of it runs");
        await EventAsync("NamespaceNotFound", "no process of it runs");
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData("""{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"ztunnel","namespace":"istio-system"}}""", false)]
    [InlineData("""{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"ztunnel","namespace":"istio-system","deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["foregroundDeletion"]}}""", true)]
    public async Task Uninstalled_IsWhatTheDaemonSetSays(string? set, bool uninstalled)
    {
        if (set is not null)
            Server.Put(set);
        Assert.Equal(uninstalled, await Pods.IsUninstalledAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task Uninstalled_WithoutAnApiServer_IsNotAssumed()
    {
        await Server.StopAsync();
        Assert.False(await Pods.IsUninstalledAsync(TimeSpan.FromSeconds(30)));
    }

    /// <summary>The chart gives the agent what it asks for, and nothing else.</summary>
    [Fact]
    public async Task Rights_OfTheChart_AreExactlyThoseThatAreUsed()
    {
        PutPod("a", "10.0.0.1");
        var pod = (await NextAsync(s => s.Count > 0))[0];
        Pods.CaptureFailed(pod.Uid, "no listener");
        await EventAsync("CaptureFailed", "no listener");
        Pods.CaptureFailed(pod.Uid, "no listener");
        // Not scheduled here as far as our watch knows, and in a namespace of which it does not know: the plugin is earlier.
        await Assert.ThrowsAsync<Mesh.Kubernetes.KubeException>(() => Pods.AnnounceAsync(new ObjectKey("nowhere", "x"), "/run/netns/x", [], Patience.Token));
        Server.Store.Put(new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Pod", ["metadata"] = new JsonObject { ["name"] = "early", ["namespace"] = "unknown" }, ["spec"] = new JsonObject() });
        await Assert.ThrowsAsync<Mesh.Kubernetes.KubeException>(() => Pods.AnnounceAsync(new ObjectKey("unknown", "early"), "/run/netns/x", [], Patience.Token));
        await Pods.IsUninstalledAsync(TimeSpan.FromSeconds(30));
        while (Coverage.Unused.Count > 0)
        {
            Assert.False(Patience.IsCancellationRequested, string.Join('\n', Coverage.Unused));
            await Task.Delay(10);
        }
    }
}
