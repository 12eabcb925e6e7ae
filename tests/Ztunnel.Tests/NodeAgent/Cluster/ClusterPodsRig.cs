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

/// <summary>The pods of one node as an agent sees them, against an API server with real semantics and with the rights of the chart only.</summary>
public abstract class ClusterPodsRig : IAsyncLifetime
{
    private protected FakeApiServer Server { get; } = new();

    private protected CancellationTokenSource Patience { get; } = new(TimeSpan.FromSeconds(30));

    private protected NodeFaults Faults { get; private set; } = new();

    private protected TimeProvider Time { get; set; } = TimeProvider.System;

    private protected string KnownPods { get; set; } = Path.Combine(Path.GetTempPath(), $"known-pods-{Guid.NewGuid():N}.json");

    private protected TimeSpan TellAgain { get; set; } = TimeSpan.FromMinutes(20);

    private protected ClusterPods Pods { get; private set; } = null!;

    private protected IReadOnlyList<NodePod> Current => _sets.Current;

    private readonly MemoryStream _log = new();
    private readonly LogSink _sink;
    private IAsyncEnumerator<IReadOnlyList<NodePod>> _sets = null!;

    protected ClusterPodsRig() => _sink = new LogSink(_log, LogFormat.Text, LogFilter.TryParse("info", out var filter, out _) ? filter : throw new InvalidOperationException(), TimeProvider.System);

    public async Task InitializeAsync()
    {
        await Server.StartAsync();
        Server.Put("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"istio.io/dataplane-mode":"ambient"}}}""");
        Server.Put("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"istio-system"}}""");
        Begin();
    }

    public async Task DisposeAsync()
    {
        await Patience.CancelAsync();
        await Pods.DisposeAsync();
        await Server.DisposeAsync();
        Assert.True(Coverage.Refused.Count == 0, string.Join('\n', Coverage.Refused));
        _sink.Dispose();
        Patience.Dispose();
        if (File.Exists(KnownPods))
            File.Delete(KnownPods);
    }

    private protected RoleCoverage Coverage => new(Server, RoleCoverage.ServiceAccount("istio-system", "ztunnel"));

    private protected void Begin()
    {
        var kubeconfig = Path.GetTempFileName();
        File.WriteAllText(kubeconfig, Server.KubeConfig(Server.ActAs(Testing.Repository.Manifest, "istio-system", "ztunnel")));
        Faults = new NodeFaults();
        var client = new KubeClient(KubeConfigFile.Load(kubeconfig, null, Time), new KubeClientOptions { Time = Time, ServerDate = date => Pods?.TakeServerDate(date) });
        File.Delete(kubeconfig);
        var rule = new EnrolmentRule(new HashSet<string>(StringComparer.Ordinal) { "kube-system" }, "istio-system");
        Pods = new ClusterPods(client, new ClusterPlace("n1", "istio-system", "ztunnel-n1"), rule, new KnownPodsFile(KnownPods, _sink, TimeProvider.System), Faults, _sink) { TellAgain = TellAgain, Worrying = TimeSpan.Zero };
        Pods.Start();
        _sets = Pods.WatchAsync(Patience.Token).GetAsyncEnumerator(Patience.Token);
    }

    private protected async Task<IReadOnlyList<NodePod>> NextAsync(Func<IReadOnlyList<NodePod>, bool> wanted)
    {
        while (await _sets.MoveNextAsync())
        {
            if (wanted(_sets.Current))
                return _sets.Current;
        }
        throw new InvalidOperationException("the sets have ended");
    }

    private protected void PutPod(string name, string? address, string ns = "shop", string node = "n1", bool hostNetwork = false, string annotations = "{}", string labels = "{}") => Server.Store.Put(new JsonObject
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Pod",
        ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = ns, ["annotations"] = JsonNode.Parse(annotations), ["labels"] = JsonNode.Parse(labels) },
        ["spec"] = new JsonObject { ["nodeName"] = node, ["serviceAccountName"] = "account", ["hostNetwork"] = hostNetwork, ["containers"] = new JsonArray() },
        ["status"] = address is null
            ? new JsonObject { ["phase"] = "Pending" }
            : new JsonObject { ["phase"] = "Running", ["podIP"] = address, ["podIPs"] = new JsonArray(new JsonObject { ["ip"] = address }) },
    });

    private protected void Label(string ns, string? value)
    {
        var body = Server.Get("", "namespaces", "", ns)!.DeepClone().AsObject();
        body["metadata"]!["labels"] = value is null ? new JsonObject() : new JsonObject { ["istio.io/dataplane-mode"] = value };
        Server.Store.Put(body);
    }

    private protected string? Mark(string pod, string ns = "shop") => (string?)Server.Get("", "pods", ns, pod)?["metadata"]?["annotations"]?["ambient.istio.io/redirection"];

    private protected async Task MarkAsync(string pod, string? value, string ns = "shop")
    {
        while (Mark(pod, ns) != value)
        {
            Assert.False(Patience.IsCancellationRequested, $"pod {pod} is marked {Mark(pod, ns)}, not {value}; requests: {string.Join('\n', Server.Requests)}; log: {System.Text.Encoding.UTF8.GetString(_log.ToArray())}");
            await Task.Delay(10);
        }
    }

    private protected void Remove(string ns, string pod) => Server.Store.Delete(Server.Store.FindKind("", "v1", "pods")!, ns, pod, null, new WriteContext());

    /// <param name="pod">On which it must be, with its uid: kubectl describe finds no other.</param>
    private protected async Task EventAsync(string reason, string text, string? pod = null)
    {
        var kind = Server.Store.FindKind("events.k8s.io", "v1", "events")!;
        while (!Server.Store.List(kind, null, Selectors.Parse(kind, null, null)).Items.Any(e => (string?)e.Body["reason"] == reason && ((string?)e.Body["note"])!.Contains(text, StringComparison.Ordinal)
            && (pod is null || ((string?)e.Body["regarding"]!["name"] == pod && (string?)e.Body["regarding"]!["uid"] is { Length: > 0 }))))
        {
            await Task.Delay(10, Patience.Token);
        }
    }

    private protected IEnumerable<(string? Pod, string? Reason, int Times)> Events()
    {
        var kind = Server.Store.FindKind("events.k8s.io", "v1", "events")!;
        return Server.Store.List(kind, null, Selectors.Parse(kind, null, null)).Items.Select(e => ((string?)e.Body["regarding"]!["name"], (string?)e.Body["reason"], (int?)e.Body["series"]?["count"] ?? 1));
    }

    private protected static IEnumerable<string> Names(IReadOnlyList<NodePod> set) => set.Select(p => p.Info.Name);
}
