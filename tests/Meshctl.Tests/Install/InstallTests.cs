using System.Text.Json.Nodes;

using Mesh.Kubernetes.Connection;
using Mesh.Kubernetes.Requests;
using Mesh.Meshctl.Commands;
using Mesh.Meshctl.Install;
using Mesh.Meshctl.Local;
using Mesh.Testing.Kubernetes;
using Mesh.Testing.Kubernetes.Access;

namespace Mesh.Meshctl.Tests.Install;

/// <summary>Installing, upgrading and removing against an API server with real semantics.</summary>
public sealed class InstallTests : IAsyncLifetime
{
    private const string Node = """{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"},"status":{"nodeInfo":{"operatingSystem":"linux","kernelVersion":"6.1.0-18-amd64"}}}""";

    private readonly FakeApiServer _server = new();
    private readonly string _kubeconfig = Path.GetTempFileName();

    public async Task InitializeAsync()
    {
        await _server.StartAsync();
        await File.WriteAllTextAsync(_kubeconfig, _server.KubeConfig());
        _server.InstallMeshKinds();
        _server.Put(Node);
    }

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        File.Delete(_kubeconfig);
    }

    [Fact]
    public async Task Install_IntoAnEmptyCluster_StoresEveryObjectOfTheManifest()
    {
        Assert.Equal(0, await InstallCommand.RunAsync(Options<InstallOptions>(o => o.Wait = "0"), TimeProvider.System));
        foreach (var item in Options<InstallOptions>().Render().All)
        {
            var type = ManifestKinds.Of(item);
            Assert.True(_server.Get(type.Group, type.Plural, item.Namespace, item.Name) is not null, $"{item} is missing");
        }
    }

    [Fact]
    public async Task Install_Twice_ChangesNothingTheSecondTime()
    {
        await InstallCommand.RunAsync(Options<InstallOptions>(o => o.Wait = "0"), TimeProvider.System);
        var before = Version("apps", "daemonsets", "ztunnel");
        await InstallCommand.RunAsync(Options<InstallOptions>(o => o.Wait = "0"), TimeProvider.System);
        Assert.Equal(before, Version("apps", "daemonsets", "ztunnel"));
    }

    [Fact]
    public async Task DryRun_AsksNobody()
    {
        await _server.StopAsync();
        Assert.Equal(0, await InstallCommand.RunAsync(Options<InstallOptions>(o => o.DryRun = true), TimeProvider.System));
        Assert.Equal(0, await InstallCommand.RunAsync(Options<UpgradeOptions>(o => o.DryRun = true), TimeProvider.System));
        Assert.Equal(0, await InstallCommand.RunAsync(Options<UninstallOptions>(o => o.DryRun = true), TimeProvider.System));
    }

    [Fact]
    public async Task Install_WhoMayNot_IsToldWhatIsMissingAndNothingChanges()
    {
        _server.Authorization.Enforced = true;
        _server.Tokens.Add("viewer", new ApiUser("viewer", ["system:authenticated"]));
        await File.WriteAllTextAsync(_kubeconfig, _server.KubeConfig("viewer"));
        var refused = await Assert.ThrowsAsync<MeshctlException>(() => InstallCommand.RunAsync(Options<InstallOptions>(o => o.Wait = "0"), TimeProvider.System));
        Assert.Equal(77, refused.ExitCode);
        Assert.Null(_server.Get("", "namespaces", "", "istio-system"));
    }

    /// <summary>Somebody who may do exactly what the check asks for can use all commands, and each of these rights is used.</summary>
    [Fact]
    public async Task Rights_ThatTheCheckAsksFor_AreExactlyThoseThatTheCommandsNeed()
    {
        _server.Store.Put(new JsonObject
        {
            ["apiVersion"] = "rbac.authorization.k8s.io/v1",
            ["kind"] = "ClusterRole",
            ["metadata"] = new JsonObject { ["name"] = "installer" },
            ["rules"] = new JsonArray([.. NeededRights.All.Select(r => new JsonObject { ["apiGroups"] = new JsonArray(r.Type.Group), ["resources"] = new JsonArray(r.Type.Plural), ["verbs"] = new JsonArray(r.Verb) })]),
        });
        _server.Put("""{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"installer"},"roleRef":{"kind":"ClusterRole","name":"installer"},"subjects":[{"kind":"User","name":"installer"}]}""");
        _server.Authorization.Enforced = true;
        _server.Tokens.Add("installer", new ApiUser("installer", ["system:authenticated"]));
        await File.WriteAllTextAsync(_kubeconfig, _server.KubeConfig("installer"));

        await InstallCommand.RunAsync(Options<InstallOptions>(o => o.Wait = "0"), TimeProvider.System);
        SetStatus("deployments", "istiod", """{"observedGeneration":99,"updatedReplicas":2,"availableReplicas":2}""");
        SetStatus("daemonsets", "ztunnel", """{"observedGeneration":99,"desiredNumberScheduled":1,"updatedNumberScheduled":1,"numberAvailable":1}""");
        await InstallCommand.RunAsync(Options<UpgradeOptions>(o => o.Wait = "1m"), TimeProvider.System);
        await InstallCommand.RunAsync(Options<CheckOptions>(), TimeProvider.System);
        await InstallCommand.RunAsync(Options<UninstallOptions>(o => o.Purge = true), TimeProvider.System);

        var coverage = new RoleCoverage(_server, "installer");
        Assert.True(coverage.Refused.Count == 0, string.Join('\n', coverage.Refused));
        Assert.True(coverage.Unused.Count == 0, string.Join('\n', coverage.Unused));
    }

    [Fact]
    public async Task Install_WithoutTheGatewayApi_NamesTheRemedyAndChangesNothing()
    {
        Remove("apiextensions.k8s.io", "customresourcedefinitions", "gateways.gateway.networking.k8s.io");
        var refused = await Assert.ThrowsAsync<MeshctlException>(() => InstallCommand.RunAsync(Options<InstallOptions>(o => o.Wait = "0"), TimeProvider.System));
        Assert.Equal(78, refused.ExitCode);
        Assert.Null(_server.Get("", "namespaces", "", "istio-system"));
        Assert.Contains((await ChecksAsync()), r => r is { Name: "Gateway API", Outcome: CheckOutcome.Failed } && r.Remedy.Contains("gatewayClasses=false", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Wait_UntilPodsAreReady_EndsWhenTheyAre()
    {
        await InstallCommand.RunAsync(Options<InstallOptions>(o => o.Wait = "0"), TimeProvider.System);
        var waiting = InstallCommand.RunAsync(Options<InstallOptions>(o => o.Wait = "1m"), TimeProvider.System);
        Assert.False(waiting.IsCompleted);
        SetStatus("deployments", "istiod", """{"observedGeneration":99,"updatedReplicas":2,"availableReplicas":2}""");
        SetStatus("daemonsets", "ztunnel", """{"observedGeneration":99,"desiredNumberScheduled":1,"updatedNumberScheduled":1,"numberAvailable":1}""");
        Assert.Equal(0, await waiting);
    }

    [Fact]
    public async Task Wait_ForPodsThatNeverComeUp_SaysWhereToLook()
    {
        var late = await Assert.ThrowsAsync<MeshctlException>(() => InstallCommand.RunAsync(Options<InstallOptions>(o => o.Wait = "100ms"), TimeProvider.System));
        Assert.Equal(75, late.ExitCode);
        Assert.Contains("kubectl -n istio-system describe pods -l app=istiod", late.Message, StringComparison.Ordinal);
        Assert.Contains("0 of 2 pods ready", late.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Upgrade_RemovesWhatTheVersionNoLongerHas()
    {
        await InstallCommand.RunAsync(Options<InstallOptions>(o => o.Wait = "0"), TimeProvider.System);
        await InstallCommand.RunAsync(Options<UpgradeOptions>(o =>
        {
            o.Wait = "0";
            o.Set = ["networkPolicies=false"];
        }), TimeProvider.System);
        Assert.Null(_server.Get("networking.k8s.io", "networkpolicies", "istio-system", "istiod"));
        Assert.NotNull(_server.Get("apps", "deployments", "istio-system", "istiod"));
    }

    [Fact]
    public async Task Upgrade_OfNothing_SaysInstall()
    {
        var refused = await Assert.ThrowsAsync<MeshctlException>(() => InstallCommand.RunAsync(Options<UpgradeOptions>(o => o.Wait = "0"), TimeProvider.System));
        Assert.Contains("meshctl install", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Uninstall_LeavesNoObject_AndDocumentsUnlessPurged(bool purge)
    {
        await InstallCommand.RunAsync(Options<InstallOptions>(o => o.Wait = "0"), TimeProvider.System);
        _server.Put("""{"apiVersion":"security.istio.io/v1","kind":"PeerAuthentication","metadata":{"name":"default","namespace":"default"},"spec":{"mtls":{"mode":"STRICT"}}}""");
        await InstallCommand.RunAsync(Options<UninstallOptions>(o => o.Purge = purge), TimeProvider.System);
        foreach (var item in Options<InstallOptions>().Render().Objects)
        {
            var type = ManifestKinds.Of(item);
            Assert.True(_server.Get(type.Group, type.Plural, item.Namespace, item.Name) is null, $"{item} is still there");
        }

        Assert.Equal(purge, _server.Get("apiextensions.k8s.io", "customresourcedefinitions", "", "peerauthentications.security.istio.io") is null);
    }

    [Theory]
    [InlineData("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"istio.io/dataplane-mod":"ambient"}}}""", "labels", false, "did you mean istio.io/dataplane-mode?")]
    [InlineData("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"istio.io/dataplane-mode":"ambiant"}}}""", "labels", false, "it knows ambient, none")]
    [InlineData("""{"apiVersion":"v1","kind":"Node","metadata":{"name":"old"},"status":{"nodeInfo":{"operatingSystem":"linux","kernelVersion":"4.18.0-553.el8"}}}""", "kernel", true, "on old")]
    [InlineData("""{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"istio-cni-node","namespace":"istio-system"}}""", "istio-cni", false, "hands pods over")]
    [InlineData("""{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"ztunnel","namespace":"other"}}""", "second mesh", true, "an agent runs in other")]
    [InlineData("""{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"cilium","namespace":"kube-system"}}""", "pod network", false, "cilium")]
    public async Task Check_OfAClusterWithATrap_NamesIt(string trap, string name, bool failed, string found)
    {
        _server.Put(trap);
        var result = Assert.Single(await ChecksAsync(), r => r.Name == name && r.Outcome == (failed ? CheckOutcome.Failed : CheckOutcome.Warning));
        Assert.Contains(found, result.Found, StringComparison.Ordinal);
        Assert.NotEmpty(result.Remedy);
    }

    [Fact]
    public async Task Check_OfANetworkPolicyThatLeavesTheMeshOut_NamesIt()
    {
        _server.Put("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"istio.io/dataplane-mode":"ambient"}}}""");
        _server.Put("""{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"web","namespace":"shop"},"spec":{"podSelector":{},"ingress":[{"ports":[{"port":8080}]}]}}""");
        var result = Assert.Single(await ChecksAsync(), r => r.Name == "network policies");
        Assert.Equal(CheckOutcome.Warning, result.Outcome);
        Assert.StartsWith("shop/web lets in port 8080 and not 15008", result.Found, StringComparison.Ordinal);
        Assert.StartsWith("kubectl -n shop patch networkpolicy web ", result.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check_OfAGoodCluster_HasNothingToSay() => Assert.All(await ChecksAsync(), r => Assert.Equal(CheckOutcome.Passed, r.Outcome));

    [Fact]
    public async Task Command_WithoutACluster_SaysHowToNameOne()
    {
        await File.WriteAllTextAsync(_kubeconfig, "nonsense: [");
        var refused = await Assert.ThrowsAsync<MeshctlException>(() => InstallCommand.RunAsync(Options<CheckOptions>(), TimeProvider.System));
        Assert.Equal(64, refused.ExitCode);
        Assert.Contains(_kubeconfig, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Command_ToAClusterThatIsAway_SaysWhatToLookAt()
    {
        await _server.StopAsync();
        var failed = await Assert.ThrowsAsync<MeshctlException>(() => InstallCommand.RunAsync(Options<CheckOptions>(), TimeProvider.System));
        Assert.Equal(69, failed.ExitCode);
        Assert.Contains("does the cluster run, and is it the one that is meant? --kubeconfig and --context name another", failed.Message, StringComparison.Ordinal);
    }

    private async Task<IReadOnlyList<CheckResult>> ChecksAsync()
    {
        using var client = new KubeClient(KubeConfigFile.Load(_kubeconfig, null, TimeProvider.System));
        return await new Preflight(client, "istio-system").RunAsync(CancellationToken.None);
    }

    private T Options<T>(Action<T>? change = null)
        where T : ClusterOptions, new()
    {
        var options = new T { Kubeconfig = _kubeconfig, Namespace = "istio-system" };
        change?.Invoke(options);
        return options;
    }

    private string Version(string group, string plural, string name) => (string)_server.Get(group, plural, "istio-system", name)!["metadata"]!["resourceVersion"]!;

    private void SetStatus(string plural, string name, string status)
    {
        var body = _server.Get("apps", plural, "istio-system", name)!.DeepClone().AsObject();
        body["status"] = JsonNode.Parse(status);
        _server.Store.Put(body);
    }

    private void Remove(string group, string plural, string name) =>
        _server.Store.Delete(_server.Store.KindOf(_server.Get(group, plural, string.Empty, name)!), string.Empty, name, null, new Mesh.Testing.Kubernetes.Storage.WriteContext());
}
