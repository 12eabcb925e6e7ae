using System.Net;
using System.Text.Json.Nodes;
using Mesh.Kubernetes.Connection;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;
using Mesh.Runtime.Logging;
using Mesh.Testing.Kubernetes;
using Mesh.Testing.Kubernetes.Access;
using Mesh.Testing.Kubernetes.Storage;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.NodeAgent;
using Mesh.Ztunnel.NodeAgent.Cluster;

namespace Mesh.Ztunnel.Tests.NodeAgent.Cluster;

/// <summary>Which pods of the node are served, against an API server with real semantics.</summary>
public sealed class ClusterPodsTests : IAsyncLifetime
{
    private readonly FakeApiServer _server = new();
    private readonly MemoryStream _log = new();
    private readonly LogSink _sink;
    private readonly CancellationTokenSource _stop = new(TimeSpan.FromSeconds(60));
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"known-pods-{Guid.NewGuid():N}.json");
    private ClusterPods _pods = null!;
    private IAsyncEnumerator<IReadOnlyList<NodePod>> _sets = null!;

    public ClusterPodsTests() => _sink = new LogSink(_log,LogFormat.Text, LogFilter.TryParse("info", out var filter, out _) ? filter : throw new InvalidOperationException(), TimeProvider.System);

    public async Task InitializeAsync()
    {
        await _server.StartAsync();
        _server.Put("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"istio.io/dataplane-mode":"ambient"}}}""");
        Begin();
    }

    public async Task DisposeAsync()
    {
        await _stop.CancelAsync();
        await _pods.DisposeAsync();
        await _server.DisposeAsync();
        Assert.True(Coverage.Refused.Count == 0, string.Join('\n', Coverage.Refused));
        _sink.Dispose();
        _stop.Dispose();
        File.Delete(_file);
    }

    [Fact]
    public async Task Watch_OfOptedInPodsOfThisNode_LeavesOutAllOthers()
    {
        PutPod("a", "10.0.0.1");
        PutPod("b", "10.0.0.2", node: "n2");
        PutPod("c", "10.0.0.3", ns: "default");
        PutPod("d", null);
        Assert.Equal(["a"], Names(await NextAsync(s => s.Count > 0)));
        var pod = _sets.Current[0];
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
        _pods.Captured(pod.Uid);
        await MarkAsync("a", "enabled");
        _pods.CaptureFailed(pod.Uid, "no listener");
        await MarkAsync("a", "pending");
        await EventAsync("CaptureFailed", "no listener");
        _pods.Captured(pod.Uid);
        _pods.Released(pod.Uid);
        await MarkAsync("a", null);
    }

    [Fact]
    public async Task Released_WhileTheAgentLeaves_KeepsTheMarkForTheSuccessor()
    {
        PutPod("a", "10.0.0.1");
        var pod = (await NextAsync(s => s.Count > 0))[0];
        _pods.Captured(pod.Uid);
        await MarkAsync("a", "enabled");
        _pods.Leave();
        _pods.Released(pod.Uid);
        // Marks are written one after the other: this one comes after what the release would have written.
        PutPod("b", "10.0.0.2");
        _pods.Captured((await NextAsync(s => s.Count > 1)).Single(p => p.Info.Name == "b").Uid);
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
        Assert.Equal(Announcement.UnderWay, await _pods.AnnounceAsync(new ObjectKey("shop", "new"), "/run/netns/x", [IPAddress.Parse("10.0.0.7")], _stop.Token));
        var pod = (await NextAsync(s => s.Count > 0))[0];
        Assert.Equal(("/run/netns/x", "10.0.0.7"), (pod.NamespacePath, pod.Addresses[0].ToString()));
        _pods.Captured(pod.Uid);
        Assert.Equal(Announcement.Captured, await _pods.AnnounceAsync(new ObjectKey("shop", "new"), "/run/netns/x", [IPAddress.Parse("10.0.0.7")], _stop.Token));
    }

    [Fact]
    public async Task Announce_OfAPodThatDoesNotTakePart_SaysSo()
    {
        PutPod("c", null, ns: "default");
        await NextAsync(_ => true);
        Assert.Equal(Announcement.NotOurs, await _pods.AnnounceAsync(new ObjectKey("default", "c"), "/run/netns/x", [], _stop.Token));
    }

    [Fact]
    public async Task Start_WhileTheApiServerIsAway_ServesThePodsThatWereKnown()
    {
        PutPod("a", "10.0.0.1");
        await NextAsync(s => s.Count > 0);
        await _pods.DisposeAsync();
        await _server.StopAsync();
        Begin();
        Assert.Equal(["a"], Names(await NextAsync(_ => true)));
    }

    [Fact]
    public async Task Annotations_ThatWantAnotherCapture_ComeWithThePod_AndSurviveARestart()
    {
        PutPod("a", "10.0.0.1", annotations: """{"ambient.istio.io/dns-capture":"false","ambient.istio.io/bypass-inbound-capture":"true"}""");
        PutPod("b", "10.0.0.2", annotations: """{"ambient.istio.io/dns-capture":"perhaps"}""");
        var set = await NextAsync(s => s.Count > 1);
        Assert.Equal(new PodCapture(Dns: false, BypassInbound: true), set.Single(p => p.Info.Name == "a").Info.Capture);
        Assert.Equal(PodCapture.AsTheNode, set.Single(p => p.Info.Name == "b").Info.Capture);
        await _pods.DisposeAsync();
        await _server.StopAsync();
        Begin();
        set = await NextAsync(_ => true);
        Assert.Equal(new PodCapture(Dns: false, BypassInbound: true), set.Single(p => p.Info.Name == "a").Info.Capture);
    }

    [Fact]
    public async Task RulesThatWerePutRight_AndNamespacesThatAreNotFound_AreEventsOnThePod()
    {
        PutPod("a", "10.0.0.1");
        var pod = (await NextAsync(s => s.Count > 0))[0];
        _pods.Repaired(pod.Uid);
        await EventAsync("RulesRepaired", "had been changed");
        _pods.NotFound(pod, "no process of it runs");
        await EventAsync("NamespaceNotFound", "no process of it runs");
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData("""{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"ztunnel","namespace":"istio-system"}}""", false)]
    [InlineData("""{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"ztunnel","namespace":"istio-system","deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["foregroundDeletion"]}}""", true)]
    public async Task Uninstalled_IsWhatTheDaemonSetSays(string? set, bool uninstalled)
    {
        if (set is not null)
            _server.Put(set);
        Assert.Equal(uninstalled, await _pods.IsUninstalledAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task Uninstalled_WithoutAnApiServer_IsNotAssumed()
    {
        await _server.StopAsync();
        Assert.False(await _pods.IsUninstalledAsync(TimeSpan.FromSeconds(30)));
    }

    /// <summary>The chart gives the agent what it asks for, and nothing else.</summary>
    [Fact]
    public async Task Rights_OfTheChart_AreExactlyThoseThatAreUsed()
    {
        PutPod("a", "10.0.0.1");
        var pod = (await NextAsync(s => s.Count > 0))[0];
        _pods.CaptureFailed(pod.Uid, "no listener");
        await EventAsync("CaptureFailed", "no listener");
        _pods.CaptureFailed(pod.Uid, "no listener");
        // Not scheduled here as far as our watch knows, and in a namespace of which it does not know: the plugin is earlier.
        await Assert.ThrowsAsync<Mesh.Kubernetes.KubeException>(() => _pods.AnnounceAsync(new ObjectKey("nowhere", "x"), "/run/netns/x", [], _stop.Token));
        _server.Store.Put(new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Pod", ["metadata"] = new JsonObject { ["name"] = "early", ["namespace"] = "unknown" }, ["spec"] = new JsonObject() });
        await Assert.ThrowsAsync<Mesh.Kubernetes.KubeException>(() => _pods.AnnounceAsync(new ObjectKey("unknown", "early"), "/run/netns/x", [], _stop.Token));
        await _pods.IsUninstalledAsync(TimeSpan.FromSeconds(30));
        while (Coverage.Unused.Count > 0)
        {
            Assert.False(_stop.IsCancellationRequested, string.Join('\n', Coverage.Unused));
            await Task.Delay(10);
        }
    }

    private RoleCoverage Coverage => new(_server, RoleCoverage.ServiceAccount("istio-system", "ztunnel"));

    private void Begin()
    {
        var kubeconfig = Path.GetTempFileName();
        File.WriteAllText(kubeconfig, _server.KubeConfig(_server.ActAs(Testing.Repository.Manifest, "istio-system", "ztunnel")));
        var client = new KubeClient(KubeConfigFile.Load(kubeconfig, null, TimeProvider.System));
        File.Delete(kubeconfig);
        var rule = new EnrolmentRule(new HashSet<string>(StringComparer.Ordinal) { "kube-system" }, "istio-system");
        _pods = new ClusterPods(client, new ClusterPlace("n1", "istio-system"), rule, new KnownPodsFile(_file, _sink, TimeProvider.System), _sink);
        _pods.Start();
        _sets = _pods.WatchAsync(_stop.Token).GetAsyncEnumerator(_stop.Token);
    }

    private async Task<IReadOnlyList<NodePod>> NextAsync(Func<IReadOnlyList<NodePod>, bool> wanted)
    {
        while (await _sets.MoveNextAsync())
        {
            if (wanted(_sets.Current))
                return _sets.Current;
        }
        throw new InvalidOperationException("the sets have ended");
    }

    private void PutPod(string name, string? address, string ns = "shop", string node = "n1", bool hostNetwork = false, string annotations = "{}") => _server.Store.Put(new JsonObject
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Pod",
        ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = ns, ["annotations"] = JsonNode.Parse(annotations) },
        ["spec"] = new JsonObject { ["nodeName"] = node, ["serviceAccountName"] = "account", ["hostNetwork"] = hostNetwork, ["containers"] = new JsonArray() },
        ["status"] = address is null
            ? new JsonObject { ["phase"] = "Pending" }
            : new JsonObject { ["phase"] = "Running", ["podIP"] = address, ["podIPs"] = new JsonArray(new JsonObject { ["ip"] = address }) },
    });

    private void Label(string ns, string? value)
    {
        var body = _server.Get("", "namespaces", "", ns)!.DeepClone().AsObject();
        body["metadata"]!["labels"] = value is null ? new JsonObject() : new JsonObject { ["istio.io/dataplane-mode"] = value };
        _server.Store.Put(body);
    }

    private string? Mark(string pod, string ns = "shop") => (string?)_server.Get("", "pods", ns, pod)?["metadata"]?["annotations"]?["ambient.istio.io/redirection"];

    private async Task MarkAsync(string pod, string? value, string ns = "shop")
    {
        while (Mark(pod, ns) != value)
        {
            Assert.False(_stop.IsCancellationRequested, $"pod {pod} is marked {Mark(pod, ns)}, not {value}; requests: {string.Join('\n', _server.Requests)}; log: {System.Text.Encoding.UTF8.GetString(_log.ToArray())}");
            await Task.Delay(10);
        }
    }

    private async Task EventAsync(string reason, string text)
    {
        var kind = _server.Store.FindKind("events.k8s.io", "v1", "events")!;
        while (!_server.Store.List(kind, null, Selectors.Parse(kind, null, null)).Items.Any(e => (string?)e.Body["reason"] == reason && ((string?)e.Body["note"])!.Contains(text, StringComparison.Ordinal)))
            await Task.Delay(10, _stop.Token);
    }

    private static IEnumerable<string> Names(IReadOnlyList<NodePod> set) => set.Select(p => p.Info.Name);
}
