using System.Text.Json.Nodes;

using Mesh.EndToEnd.Tests.Harness;
using Mesh.EndToEnd.Tests.Images;
using Mesh.EndToEnd.Tests.StandIn;
using Mesh.Testing;
using Mesh.Testing.Kubernetes.Access;

namespace Mesh.EndToEnd.Tests.Cluster;

/// <summary>The chart and the images as a user installs them: every pod of the mesh runs as its specification says, and no more.</summary>
[Collection(LayoutFixture.Name)]
public sealed class InstalledMeshTests(LayoutFixture layouts) : IAsyncLifetime
{
    private const string Mark = "ambient.istio.io/redirection";

    private readonly string _folder = Directory.CreateTempSubdirectory("mesh-cluster-").FullName;
    private StandInCluster _cluster = null!;

    public async Task InitializeAsync() => _cluster = await StandInCluster.StartAsync(await layouts.UnpackedAsync(), _folder);

    public async Task DisposeAsync()
    {
        await _cluster.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [ClusterFact]
    public async Task Probe_SaysThatTheMeshWorks_OrWhatIsWrong()
    {
        var installed = await InstallAsync("--probe");
        Assert.True(installed.ExitCode == 0, $"{installed.Output}{installed.Errors}\n{_cluster.Story()}");
        Assert.Contains("ok: the identity was let in, and nothing else", installed.Output, StringComparison.Ordinal);
        foreach (var account in (string[])["ztunnel", "istiod"])
            Assert.Empty(new RoleCoverage(_cluster.Server, RoleCoverage.ServiceAccount(StandInCluster.Home, account)).Refused);

        // Nobody may reach anybody: the probe's pods, too.
        _cluster.Put("""{"apiVersion":"security.istio.io/v1","kind":"AuthorizationPolicy","metadata":{"name":"closed","namespace":"istio-system"},"spec":{"action":"DENY","rules":[{}]}}""");
        var refused = await _cluster.MeshctlAsync("check", "--probe", "--probe-timeout", "20s");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("closed: nothing came through", refused.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(_cluster.Pods("app.kubernetes.io/part-of", "mesh-probe"), p => p.Body["metadata"]!["deletionTimestamp"] is null);
    }

    [ClusterFact]
    public async Task Namespace_ThatIsLabelled_JoinsWithItsRunningPods_AndLeavesAgain()
    {
        await InstalledAsync();
        _cluster.Put(Applications.Namespace("outside"), Applications.Account("outside", "client"), Applications.ClientPod("outside", "stranger"));
        await ShopAsync("client", "server");
        await UntilReadyAsync("outside", "stranger");
        Assert.StartsWith("v1 /before from", await GetAsync("shop", "client", "/before"), StringComparison.Ordinal);

        Label("ambient");
        await UntilMarkedAsync("client", "server");
        await GetAsync("shop", "client", "/inside");
        await _cluster.UntilAsync(() => AgentsSay("src.identity=\"spiffe://cluster.local/ns/shop/sa/client\"") && AgentsSay("dst.identity=\"spiffe://cluster.local/ns/shop/sa/server\""), "the identities in the agents' access log");

        // Nothing without an identity, but the kubelet of the server's node is none of the mesh and has to get through.
        _cluster.Put("""{"apiVersion":"security.istio.io/v1","kind":"PeerAuthentication","metadata":{"name":"default","namespace":"shop"},"spec":{"mtls":{"mode":"STRICT"}}}""");
        await _cluster.UntilAsync(async () => (await TryGetAsync("outside", "stranger", "/plain")).ExitCode != 0, "plaintext being refused");
        await _cluster.ProbedAgainAsync("shop", "server");
        Assert.True(StandIn.Controllers.IsReady(_cluster.Pod("shop", "server")!));
        await GetAsync("shop", "client", "/strict");

        Label(null);
        await _cluster.UntilAsync(() => MarkOf("server") is null && MarkOf("client") is null, "the end of the marks");
        await GetAsync("outside", "stranger", "/after");
        await GetAsync("shop", "client", "/after");
        foreach (var name in (string[])["client", "server"])
            Assert.Equal(0, (int)_cluster.Pod("shop", name)!.Body["status"]!["containerStatuses"]![0]!["restartCount"]!);
    }

    [ClusterFact]
    public async Task Uninstalled_PodsTalkAsBefore_NewOnesStart_AndNothingIsLeft()
    {
        var before = NetworkConfiguration("n1");
        await InstalledAsync();
        await ShopAsync("client", "server");
        Label("ambient");
        await UntilMarkedAsync("client", "server");
        await GetAsync("shop", "client", "/inside");
        Assert.Contains("mesh-cni", NetworkConfiguration("n1"), StringComparison.Ordinal);

        var gone = await UninstallAsync();
        Assert.True(gone.ExitCode == 0, $"{gone.Output}{gone.Errors}\n{_cluster.Story()}");
        await GetAsync("shop", "client", "/after");
        foreach (var node in (string[])["n1", "n2"])
        {
            Assert.Equal(before.Replace(" ", "", StringComparison.Ordinal), NetworkConfiguration(node).Replace(" ", "", StringComparison.Ordinal).Replace("\n", "", StringComparison.Ordinal) + "\n");
            Assert.DoesNotContain("mesh", await _cluster.Node(node).ShellAsync($"ls {ClusterNode.PluginFolder}; nft list ruleset"), StringComparison.Ordinal);
            Assert.Empty(await _cluster.Node(node).ShellAsync("ls /run/ztunnel"));
        }
        _cluster.Put(Applications.ClientPod("shop", "later"));
        await UntilReadyAsync("shop", "later");
        await GetAsync("shop", "later", "/later");
        foreach (var pod in (string[])["client", "server"])
            Assert.DoesNotContain("istio", (await _cluster.Node((string)_cluster.Pod("shop", pod)!.Body["spec"]!["nodeName"]!).RunAsync("ip", "netns", "exec", $"shop-{pod}", "nft", "list", "ruleset")).Output, StringComparison.Ordinal);
    }

    /// <summary>What is none of the mesh's does not depend on it.</summary>
    [ClusterFact]
    public async Task Agent_ThatDoesNotComeUp_KeepsThePodsOfTheMeshFromStarting_AndNoOthers()
    {
        await InstalledAsync();
        await ShopAsync("client", "server");
        Label("ambient");
        await UntilMarkedAsync("client", "server");
        _cluster.Put(Applications.Namespace("outside"), Applications.Account("outside", "client"));

        foreach (var agent in _cluster.Pods("app", "ztunnel"))
            await _cluster.CrashAsync(agent);
        // The rules of those that run stay: nothing goes out past the mesh.
        Assert.NotEqual(0, (await TryGetAsync("shop", "client", "/plain")).ExitCode);
        _cluster.Put(Applications.ClientPod("outside", "stranger"), Applications.ClientPod("shop", "held"));
        await UntilReadyAsync("outside", "stranger");
        await _cluster.UntilAsync(() => _cluster.EventsOf("held").Any(e => e.Contains("would start outside the mesh", StringComparison.Ordinal)), "the Event of a pod that is held");
        Assert.False(_cluster.IsRunning("shop", "held"));

        foreach (var agent in _cluster.Pods("app", "ztunnel"))
            _cluster.LetStart(agent);
        await UntilReadyAsync("shop", "held");
        await _cluster.UntilAsync(async () => (await TryGetAsync("shop", "held", "/held")).ExitCode == 0, "both agents' service");
        // Those that ran all the time are served again as they are.
        await GetAsync("shop", "client", "/adopted");
        Assert.Equal(0, (int)_cluster.Pod("shop", "client")!.Body["status"]!["containerStatuses"]![0]!["restartCount"]!);
    }

    /// <summary>The plugin holds every pod of a node until its agent is there, but not what the agent itself needs: its own pod, and the control plane.</summary>
    [ClusterTheory]
    [InlineData("n1")]
    [InlineData("n1", "n2")]
    public async Task Nodes_ThatLostTheirPower_ComeBackWithTheirPodsInTheMesh(params string[] nodes)
    {
        await InstalledAsync();
        await ShopAsync("client", "server");
        Label("ambient");
        await UntilMarkedAsync("client", "server");
        _cluster.Put("""{"apiVersion":"security.istio.io/v1","kind":"PeerAuthentication","metadata":{"name":"default","namespace":"shop"},"spec":{"mtls":{"mode":"STRICT"}}}""");

        await _cluster.RestartAsync(nodes);
        await _cluster.UntilAsync(async () => _cluster.IsRunning("shop", "client") && (await TryGetAsync("shop", "client", "/again")).ExitCode == 0, "the client's way through the mesh");
    }

    [ClusterFact]
    public async Task Waypoint_OfAGateway_IsDeployedAndServes_AndGoesWithIt()
    {
        await InstalledAsync();
        await ShopAsync("client", "server");
        _cluster.Put(Applications.ServerPod("shop", "server-2", "v2"), Applications.Service("shop", "web-v1", """ "version":"v1","app":"server" """), Applications.Service("shop", "web-v2", """ "version":"v2" """));
        await UntilReadyAsync("shop", "server-2");
        Label("ambient");
        await UntilMarkedAsync("client", "server", "server-2");

        _cluster.Put("""{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"waypoint","namespace":"shop"},"spec":{"gatewayClassName":"istio-waypoint","listeners":[{"name":"mesh","port":15008,"protocol":"HBONE"}]}}""");
        await _cluster.UntilAsync(() => (_cluster.Server.Get("gateway.networking.k8s.io", "gateways", "shop", "waypoint")!["status"]?["conditions"] as JsonArray ?? []).Any(c => (string?)c!["type"] == "Programmed" && (string?)c["status"] == "True"), "the Gateway being programmed");
        _cluster.Put(Applications.Service("shop", "web", """ "app":"server" """, """ "istio.io/use-waypoint":"waypoint" """));
        _cluster.Put("""{"apiVersion":"security.istio.io/v1","kind":"AuthorizationPolicy","metadata":{"name":"secrets","namespace":"shop"},"spec":{"targetRefs":[{"kind":"Service","group":"","name":"web"}],"action":"DENY","rules":[{"to":[{"operation":{"paths":["/secret"]}}]}]}}""");
        await _cluster.UntilAsync(async () => await StatusOfAsync("/secret") == "403", "the waypoint's refusal");
        Assert.Equal("200", await StatusOfAsync("/open"));

        _cluster.Put("""{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"canary","namespace":"shop"},"spec":{"parentRefs":[{"group":"","kind":"Service","name":"web","port":80}],"rules":[{"backendRefs":[{"name":"web-v1","port":80,"weight":0},{"name":"web-v2","port":80,"weight":100}]}]}}""");
        await _cluster.UntilAsync(async () => (await AskAsync("/canary")).Output.StartsWith("v2 /canary", StringComparison.Ordinal), "the canary");

        // Judged before it is stored.
        var (code, text) = await _cluster.ApplyAsync("/apis/networking.istio.io/v1/namespaces/shop/virtualservices/wrong", """{"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"name":"wrong","namespace":"shop"},"spec":{"hosts":["web"],"http":[{"timeout":"soon"}]}}""");
        Assert.True((int)code is >= 400 and < 500, $"{code}: {text}");
        Assert.Contains("denied the request", text, StringComparison.Ordinal);

        _cluster.Put(Applications.Service("shop", "web"));
        _cluster.Delete("gateway.networking.k8s.io", "gateways", "shop", "waypoint");
        await _cluster.UntilAsync(() => !_cluster.Pods("gateway.networking.k8s.io/gateway-name", "waypoint").Any(), "the end of the waypoint");
        Assert.Equal("200", await StatusOfAsync("/secret"));
    }

    [ClusterFact]
    public async Task Upgrade_OfARunningMesh_LosesNoRequest()
    {
        await InstalledAsync();
        await ShopAsync("client", "server");
        Label("ambient");
        await UntilMarkedAsync("client", "server");
        _cluster.Put(Applications.ClientPod("shop", "busy", "sh", "-c", $"while :; do curl -sS --max-time 20 --fail http://{ServerAddress}:8080/busy || echo FAILED; done"));
        await UntilReadyAsync("shop", "busy");
        var before = _cluster.Pods("app", "ztunnel").Select(p => p.Name).ToList();

        var upgraded = await _cluster.MeshctlAsync(["upgrade", "--wait", "90s", "--probe", "--set", .. Values, "ztunnel.terminationGracePeriodSeconds=20"]);
        Assert.True(upgraded.ExitCode == 0, $"{upgraded.Output}{upgraded.Errors}\n{_cluster.Story()}");
        await _cluster.UntilAsync(() => !_cluster.Pods("app", "ztunnel").Any(p => before.Contains(p.Name)), "the end of the old agents");
        var answered = Answers("busy");
        await _cluster.UntilAsync(() => Answers("busy") > answered + 5, "more answers");
        Assert.DoesNotContain("FAILED", _cluster.Container("shop", "busy").Log, StringComparison.Ordinal);
        Assert.True(MarkOf("client") == "enabled" && MarkOf("server") == "enabled");
    }

    private int Answers(string client) => _cluster.Container("shop", client).Log.Split("v1 /busy").Length - 1;

    /// <summary>By its name, which nobody but the mesh answers here.</summary>
    private Task<CommandResult> AskAsync(string path, params string[] more) => _cluster.ExecuteAsync("shop", "client", ["curl", "-sS", "--max-time", "10", .. more, $"http://web.shop{path}"]);

    private async Task<string> StatusOfAsync(string path) => (await AskAsync(path, "-o", "/dev/null", "-w", "%{http_code}")).Output;

    private async Task InstalledAsync()
    {
        var installed = await InstallAsync();
        Assert.True(installed.ExitCode == 0, $"{installed.Output}{installed.Errors}\n{_cluster.Story()}");
    }

    private Task<CommandResult> InstallAsync(params string[] more) => _cluster.MeshctlAsync(["install", "--wait", "90s", .. more, "--set", .. Values]);

    private Task<CommandResult> UninstallAsync() => _cluster.MeshctlAsync(["uninstall", "--set", .. Values]);

    private static string[] Values => [$"ztunnel.cni.binDir={ClusterNode.PluginFolder}", $"ztunnel.cni.confDir={ClusterNode.NetworkFolder}"];

    /// <summary>A client and a server, on a node each.</summary>
    private async Task ShopAsync(string client, string server)
    {
        _cluster.Put(Applications.Namespace("shop"), Applications.Account("shop", "client"), Applications.Account("shop", "server"), Applications.ClientPod("shop", client), Applications.ServerPod("shop", server), Applications.Service("shop", "web"));
        await UntilReadyAsync("shop", client);
        await UntilReadyAsync("shop", server);
    }

    private Task UntilReadyAsync(string ns, string pod) => _cluster.UntilAsync(() => StandIn.Controllers.IsReady(_cluster.Pod(ns, pod)!), $"pod {ns}/{pod}");

    private Task UntilMarkedAsync(params string[] pods) => _cluster.UntilAsync(() => pods.All(p => MarkOf(p) == "enabled"), $"the marks on {string.Join(", ", pods)}");

    private string? MarkOf(string pod) => (string?)_cluster.Pod("shop", pod)!.Body["metadata"]!["annotations"]?[Mark];

    private void Label(string? value) => _cluster.Put(Applications.Namespace("shop", value is null ? "" : $""" "istio.io/dataplane-mode":"{value}" """));

    private bool AgentsSay(string text) => _cluster.Pods("app", "ztunnel").Any(p => _cluster.Container(p).Log.Contains(text, StringComparison.Ordinal));

    private string NetworkConfiguration(string node) => File.ReadAllText(Path.Combine(_folder, $"disk-{node}", "net.d", "10-pods.conflist"));

    private string ServerAddress => (string)_cluster.Pod("shop", "server")!.Body["status"]!["podIP"]!;

    private async Task<string> GetAsync(string ns, string client, string path)
    {
        var answer = await TryGetAsync(ns, client, path);
        Assert.True(answer.ExitCode == 0, $"GET {path} from {ns}/{client}: {answer.Output}{answer.Errors}\n{_cluster.Story()}");
        return answer.Output;
    }

    private Task<CommandResult> TryGetAsync(string ns, string client, string path) => _cluster.ExecuteAsync(ns, client, "curl", "-sS", "--max-time", "10", "--fail", $"http://{ServerAddress}:8080{path}");
}

/// <summary>Needs what making the images needs, an OCI runtime, and control groups that may be made.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ClusterFactAttribute : FactAttribute
{
    public ClusterFactAttribute() => Skip = Missing;

    internal static string? Missing { get; } = new ContainerdFactAttribute().Skip ?? Prerequisites.MissingTools("umoci", "unshare", "nsenter", "bash", "python3", "curl");
}

/// <summary>As <see cref="ClusterFactAttribute"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ClusterTheoryAttribute : TheoryAttribute
{
    public ClusterTheoryAttribute() => Skip = ClusterFactAttribute.Missing;
}
