using System.Text.Json.Nodes;

using Mesh.Kubernetes.Connection;
using Mesh.Kubernetes.Requests;
using Mesh.Meshctl.Commands;
using Mesh.Meshctl.Install;
using Mesh.Meshctl.Install.Probe;
using Mesh.Testing.Kubernetes;
using Mesh.Testing.Kubernetes.Access;
using Mesh.Testing.Kubernetes.Schemas;
using Mesh.Testing.Kubernetes.Storage;

namespace Mesh.Meshctl.Tests.Install;

/// <summary>The probe against an API server whose kubelet is played by the test. Whatever comes of it, nothing stays.</summary>
public sealed class ProbeTests : IAsyncLifetime
{
    private const string Image = "registry.example/ztunnel:1";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly FakeApiServer _server = new();
    private readonly CancellationTokenSource _ended = new();
    private readonly string _kubeconfig = Path.GetTempFileName();
    private readonly List<string> _said = [];
    private Task _kubelet = Task.CompletedTask;

    public async Task InitializeAsync()
    {
        await _server.StartAsync();
        _server.InstallMeshKinds();
        _server.Put("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"istio-system"}}""");
        _server.Put("""{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"ztunnel","namespace":"istio-system"},"spec":{"template":{"spec":{"containers":[{"name":"istio-proxy","image":"IMAGE"}]}}}}""".Replace("IMAGE", Image, StringComparison.Ordinal));
        _server.Store.Put(new JsonObject
        {
            ["apiVersion"] = "rbac.authorization.k8s.io/v1",
            ["kind"] = "ClusterRole",
            ["metadata"] = new JsonObject { ["name"] = "prober" },
            ["rules"] = new JsonArray([.. NeededRights.Probe.Select(r => new JsonObject { ["apiGroups"] = new JsonArray(r.Type.Group), ["resources"] = new JsonArray(r.Type.Plural), ["verbs"] = new JsonArray(r.Verb) })]),
        });
        _server.Put("""{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"prober"},"roleRef":{"kind":"ClusterRole","name":"prober"},"subjects":[{"kind":"User","name":"prober"}]}""");
        _server.Authorization.Enforced = true;
        _server.Tokens.Add("prober", new ApiUser("prober", ["system:authenticated"]));
        await File.WriteAllTextAsync(_kubeconfig, _server.KubeConfig("prober"));
    }

    public async Task DisposeAsync()
    {
        await _ended.CancelAsync();
        await _kubelet;
        await _server.DisposeAsync();
        _ended.Dispose();
        File.Delete(_kubeconfig);
        Assert.Empty(ProbeNamespaces());
    }

    [Fact]
    public async Task Verdict_ThatIsGood_IsPassedOn_WithTheRightsThatAreNamed()
    {
        var works = true;
        PlayKubelet(pod => !works ? null : pod == "server" ? Running("10.0.0.1") : Ended("Succeeded", "ok: the identity was let in"));
        _server.Put("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"mesh-probe-killed","labels":{"app.kubernetes.io/part-of":"mesh-probe"}}}""");
        var result = await RunAsync();
        Assert.Equal((CheckOutcome.Passed, "n1 to n1: ok: the identity was let in"), (result.Outcome, result.Found));

        // Its one list of Events is for what goes wrong.
        works = false;
        await RunAsync(TimeSpan.FromMilliseconds(100));
        var coverage = new RoleCoverage(_server, "prober");
        Assert.True(coverage.Refused.Count == 0, string.Join('\n', coverage.Refused));
        Assert.True(coverage.Unused.Count == 0, string.Join('\n', coverage.Unused));
    }

    [Theory]
    [InlineData("open: both ports answered", "kubectl -n istio-system logs -l app=ztunnel")]
    [InlineData("closed: nothing came through", "meshctl status --cluster")]
    public async Task Verdict_ThatIsBad_IsAFailure_WithWhereToLook(string verdict, string remedy)
    {
        PlayKubelet(pod => pod == "server" ? Running("10.0.0.1") : Ended("Failed", verdict));
        var result = await RunAsync();
        Assert.Equal(CheckOutcome.Failed, result.Outcome);
        Assert.Contains(verdict, result.Found, StringComparison.Ordinal);
        Assert.Contains(remedy, result.Remedy, StringComparison.Ordinal);
    }

    public static TheoryData<string, string, string, string> Obstacles => new()
    {
        { """{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","message":"0/3 nodes are available: 3 Insufficient cpu."}]}""", "", "the server does not start", "make room for it: 0/3 nodes are available" },
        { """{"phase":"Pending","containerStatuses":[{"state":{"waiting":{"reason":"ImagePullBackOff"}}}]}""", "", "the server does not start", $"cannot get the agent's image {Image}" },
        { """{"phase":"Pending"}""", "FailedCreatePodSandBox", "the server does not start", "the network of the pod was not made: something happened" },
        { """{"phase":"Running","podIP":"10.0.0.1"}""", "CaptureFailed", "the server runs and is not in the mesh", "its agent says CaptureFailed: something happened" },
        { """{"phase":"Running","podIP":"10.0.0.1"}""", "", "the server runs and is not in the mesh", "does an agent run and get ready on node n1? kubectl -n istio-system get pods -l app=ztunnel --field-selector spec.nodeName=n1" },
        { """{"phase":"Failed","containerStatuses":[{"state":{"terminated":{"message":"address in use"}}}]}""", "", "it ended with: address in use", "does an agent run" },
    };

    [Theory]
    [MemberData(nameof(Obstacles))]
    public async Task Pod_ThatDoesNotGetThere_IsAFailure_WithTheExactRemedy(string status, string told, string found, string remedy)
    {
        PlayKubelet(_ => (status, null));
        if (told.Length > 0)
            TellOnEveryServer(told);
        var result = await RunAsync(TimeSpan.FromMilliseconds(700));
        Assert.Equal(CheckOutcome.Failed, result.Outcome);
        Assert.Contains(found, result.Found, StringComparison.Ordinal);
        Assert.Contains(remedy, result.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Client_ThatIsNotCaptured_IsNotBlamedOnPolicy()
    {
        PlayKubelet(pod => pod == "server" ? Running("10.0.0.1") : Ended("Failed", "closed: nothing came through") with { Mark = null });
        var result = await RunAsync();
        Assert.Contains("the client on n1 is not in the mesh", result.Found, StringComparison.Ordinal);
        Assert.Contains("does an agent run", result.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Interruption_InTheMiddle_LeavesNothingBehind()
    {
        using var interrupted = new CancellationTokenSource();
        PlayKubelet(_ =>
        {
            interrupted.Cancel();
            return null;
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(Patience, interrupted.Token));
        Assert.Empty(ProbeNamespaces());
    }

    [Fact]
    public async Task Namespace_ThatCannotBeRemoved_IsNamedWithTheCommand()
    {
        _server.Put("""{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"prober"},"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["get","list","create"]}]}""");
        PlayKubelet(pod => pod == "server" ? Running("10.0.0.1") : Ended("Succeeded", "ok"));
        Assert.Equal(CheckOutcome.Passed, (await RunAsync()).Outcome);
        Assert.Contains(_said, s => s.Contains("kubectl delete namespace mesh-probe-", StringComparison.Ordinal));
        foreach (var left in ProbeNamespaces())
            _server.Store.Delete(_server.Store.FindKind("", "v1", "namespaces")!, "", left, null, new WriteContext());
    }

    [Fact]
    public async Task Probe_WithoutAMesh_SaysInstall()
    {
        _server.Store.Delete(_server.Store.FindKind("apps", "v1", "daemonsets")!, "istio-system", "ztunnel", null, new WriteContext());
        Assert.Contains("meshctl install -n istio-system", (await RunAsync()).Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task DryRun_NamesTheAgentsImage_AndChangesNothing()
    {
        Assert.Equal(0, await InstallCommand.RunAsync(new CheckOptions { Kubeconfig = _kubeconfig, Namespace = "istio-system", Probe = true, DryRun = true }, TimeProvider.System));
        Assert.Equal(0, await InstallCommand.RunAsync(new InstallOptions { Kubeconfig = _kubeconfig, Namespace = "istio-system", Probe = true, DryRun = true }, TimeProvider.System));
        Assert.DoesNotContain(_server.Requests, r => !r.StartsWith("GET", StringComparison.Ordinal));
        var installed = new InstallOptions { Namespace = "istio-system" }.Render().Objects.Single(o => o.Kind == "DaemonSet").Body;
        foreach (var agents in (JsonNode[])[installed, _server.Get("apps", "daemonsets", "istio-system", "ztunnel")!])
        {
            var text = new ProbeObjects("mesh-probe-0", MeshProbe.ImageOf(agents)).ToYaml();
            Assert.Equal(2, text.Split($"image: {agents["spec"]!["template"]!["spec"]!["containers"]![0]!["image"]}").Length - 1);
            Assert.Contains("principals: [\"*/ns/mesh-probe-0/sa/client\"]", text, StringComparison.Ordinal);
        }
    }

    /// <summary>As a server with strict field validation and the restricted pod security standard reads them.</summary>
    [Fact]
    public void Objects_AreReadWithoutAnUnknownField_AndFitOurSchema()
    {
        var objects = new ProbeObjects("mesh-probe-0", Image);
        foreach (var item in (ManifestObject[])[objects.Home, objects.Account("client"), objects.ServerPod, objects.ClientPod("10.0.0.1", Patience)])
            Assert.Empty(StrictFields.Check(item.Body));
        var definition = new InstallOptions { Namespace = "istio-system" }.Render().CustomResources.Select(c => c.Body).Single(d => (string?)d["spec"]!["names"]!["kind"] == "AuthorizationPolicy");
        Assert.Empty(StructuralSchema.Check(definition, objects.Policy.Body));
        Assert.Equal(["dial", "10.0.0.1", "60"], objects.ClientPod("10.0.0.1", Patience).Body["spec"]!["containers"]![0]!["args"]!.AsArray().Select(a => (string?)a));
    }

    private async Task<CheckResult> RunAsync(TimeSpan? patience = null, CancellationToken cancel = default)
    {
        using var client = new KubeClient(KubeConfigFile.Load(_kubeconfig, null, TimeProvider.System));
        return await new MeshProbe(client, "istio-system", _said.Add).RunAsync(patience ?? Patience, cancel);
    }

    private List<string> ProbeNamespaces()
    {
        var kind = _server.Store.FindKind("", "v1", "namespaces")!;
        return [.. _server.Store.List(kind, null, Selectors.Parse(kind, null, null)).Items.Select(i => (string)i.Body["metadata"]!["name"]!).Where(n => n.StartsWith("mesh-probe-", StringComparison.Ordinal))];
    }

    private static Played Running(string address) => ($$"""{"phase":"Running","podIP":"{{address}}"}""", "enabled");

    private static Played Ended(string phase, string words) => (new JsonObject { ["phase"] = phase, ["containerStatuses"] = new JsonArray(new JsonObject { ["state"] = new JsonObject { ["terminated"] = new JsonObject { ["message"] = words } } }) }.ToJsonString(), "enabled");

    /// <summary>What becomes of a pod of the probe.</summary>
    private sealed record Played(string Status, string? Mark)
    {
        public static implicit operator Played((string Status, string? Mark) both) => new(both.Status, both.Mark);
    }

    private void PlayKubelet(Func<string, Played?> becomes) => _kubelet = OnNewPodsAsync(_kubelet, pod =>
    {
        if (becomes((string)pod["metadata"]!["name"]!) is not { } played)
            return;
        pod["spec"]!["nodeName"] = "n1";
        pod["status"] = JsonNode.Parse(played.Status);
        if (played.Mark is { } mark)
            pod["metadata"]!["annotations"] = new JsonObject { ["ambient.istio.io/redirection"] = mark };
        _server.Store.Put(pod);
    });

    private void TellOnEveryServer(string reason) => _kubelet = OnNewPodsAsync(_kubelet, pod => _server.Store.Put(new JsonObject
    {
        ["apiVersion"] = "events.k8s.io/v1",
        ["kind"] = "Event",
        ["metadata"] = new JsonObject { ["name"] = "server.1", ["namespace"] = (string)pod["metadata"]!["namespace"]! },
        ["reportingController"] = reason == "CaptureFailed" ? "mesh.io/ztunnel" : "kubelet",
        ["reason"] = reason,
        ["note"] = "something happened",
        ["type"] = "Warning",
        ["regarding"] = new JsonObject { ["kind"] = "Pod", ["namespace"] = (string)pod["metadata"]!["namespace"]!, ["name"] = "server" },
    }));

    private async Task OnNewPodsAsync(Task others, Action<JsonObject> act)
    {
        var (kind, seen) = (_server.Store.FindKind("", "v1", "pods")!, new HashSet<string>(StringComparer.Ordinal));
        await Task.Yield();
        while (!_ended.IsCancellationRequested)
        {
            foreach (var pod in _server.Store.List(kind, null, Selectors.Parse(kind, null, null)).Items)
            {
                if (seen.Add(pod.Uid))
                    act(pod.Body.DeepClone().AsObject());
            }
            // The store has no event to await.
            await Task.Delay(5);
        }
        await others;
    }
}
