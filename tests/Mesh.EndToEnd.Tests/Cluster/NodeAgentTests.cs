using System.Text.Json.Nodes;

using Mesh.EndToEnd.Tests.Harness;
using Mesh.Testing;
using Mesh.Testing.Kubernetes;
using Mesh.Testing.Kubernetes.Access;

namespace Mesh.EndToEnd.Tests.Cluster;

/// <summary>The real agent and the real CNI plugin, a network namespace in the place of a pod, and an API server with real semantics.</summary>
public sealed class NodeAgentTests : IAsyncLifetime
{
    private const string PodAddress = "198.18.50.2";
    private const string Mark = "ambient.istio.io/redirection";

    private readonly FakeApiServer _server = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("mesh-agent-").FullName;
    private readonly string _namespace = $"mesh-agent-{Environment.ProcessId}";

    public async Task InitializeAsync()
    {
        await _server.StartAsync();
        _server.Put("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"istio.io/dataplane-mode":"ambient"}}}""");
        _server.Put("""{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop"},"spec":{"nodeName":"n1","serviceAccountName":"web","containers":[]},"status":{"phase":"Pending"}}""");
        _server.Put("""{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"ztunnel","namespace":"istio-system"},"spec":{}}""");
        await File.WriteAllTextAsync(Path.Combine(_folder, "kubeconfig"), _server.KubeConfig(_server.ActAs(Repository.Manifest, "istio-system", "ztunnel")));
        await File.WriteAllTextAsync(Path.Combine(_folder, "static.yaml"), "workloads: []\n");
        await File.WriteAllTextAsync(Path.Combine(_folder, "cni.json"), $$$"""{"cniVersion":"1.0.0","name":"net","type":"mesh-cni","agentSocket":"{{{_folder}}}/agent.sock","prevResult":{"cniVersion":"1.0.0","ips":[{"address":"{{{PodAddress}}}/32"}]}}""");
    }

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        await Command.RunAsync(["ip", "netns", "del", _namespace]);
        Directory.Delete(_folder, recursive: true);
    }

    [AgentFact]
    public async Task Pod_FromItsStartToTheUninstallation_IsInTheMeshExactlyWhileItShouldBe()
    {
        await MakePodAsync();
        var before = (await InPodAsync("nft", "list", "ruleset")).Output;
        using var agent = await StartAgentAsync();

        // The plugin answers when the pod is captured, not before.
        await AddPodAsync();
        Assert.Contains(":15001", await ListenersAsync(), StringComparison.Ordinal);
        Assert.Contains("istio-ambient", (await InPodAsync("nft", "list", "ruleset")).Output, StringComparison.Ordinal);
        await Wait.UntilAsync(() => Marked() == "enabled", () => "the mark on the pod");

        Label(null);
        await Wait.UntilAsync(async () => (await ListenersAsync()).Length == 0, () => $"the end of the listeners; so far: {agent.OutputSoFar}");
        await Wait.UntilAsync(() => Marked() is null, () => "the end of the mark");
        Assert.Equal(before, (await InPodAsync("nft", "list", "ruleset")).Output);

        Label("ambient");
        await Wait.UntilAsync(() => Marked() == "enabled", () => $"the mark again; so far: {agent.OutputSoFar}");

        _server.Store.Delete(_server.Store.FindKind("apps", "v1", "daemonsets")!, "istio-system", "ztunnel", null, new Mesh.Testing.Kubernetes.Storage.WriteContext());
        await agent.SignalAsync("TERM");
        (await agent.EndAsync()).Expect(0);
        Assert.Equal(before, (await InPodAsync("nft", "list", "ruleset")).Output);
        Assert.Null(Marked());
        Assert.Empty(new RoleCoverage(_server, RoleCoverage.ServiceAccount("istio-system", "ztunnel")).Refused);
    }

    /// <summary>What an add costs is the programs that it starts: one, for the rules. The image has no <c>ip</c>, so that the routing must not need it.</summary>
    [AgentFact]
    public async Task Pod_ThatOptsOutOfDns_IsCapturedWithoutIt_ByOneProgram()
    {
        _server.Put("""{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop","annotations":{"ambient.istio.io/dns-capture":"false"}},"spec":{"nodeName":"n1","serviceAccountName":"web","containers":[]},"status":{"phase":"Pending"}}""");
        await MakePodAsync();
        var (programs, calls) = (Path.Combine(_folder, "bin"), Path.Combine(_folder, "calls"));
        Directory.CreateDirectory(programs);
        foreach (var tool in (string[])["ip", "nft"])
        {
            await File.WriteAllTextAsync(Path.Combine(programs, tool), $"#!/bin/sh\necho \"{tool} $*\" >> '{calls}'\nexec '{Prerequisites.FindTool(tool)}' \"$@\"\n");
            File.SetUnixFileMode(Path.Combine(programs, tool), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        using var agent = await StartAgentAsync($"PATH={programs}:{Environment.GetEnvironmentVariable("PATH")}");
        File.Delete(calls); // the node's own rules
        await AddPodAsync();

        Assert.Equal(["nft -f -"], await File.ReadAllLinesAsync(calls));
        Assert.Contains("lookup 100", (await InPodAsync("ip", "rule", "show", "pref", "32764")).Output, StringComparison.Ordinal);
        Assert.Contains("local default dev lo", (await InPodAsync("ip", "route", "show", "table", "100")).Output, StringComparison.Ordinal);
        var rules = (await InPodAsync("nft", "list", "ruleset")).Output;
        Assert.Contains("redirect to :15001", rules, StringComparison.Ordinal);
        Assert.DoesNotContain("15053", rules, StringComparison.Ordinal);
        Assert.DoesNotContain(":15053", (await InPodAsync("ss", "-Hlutn")).Output, StringComparison.Ordinal);
        await agent.SignalAsync("TERM");
        (await agent.EndAsync()).Expect(0);
    }

    /// <summary>All processes and namespaces of the node are gone, what the API server has is not: the pod says that it is captured, and its new sandbox has no rule.</summary>
    [AgentFact]
    public async Task Node_ThatIsStartedAgain_HoldsItsPodsUntilTheAgentIsThere_AndCapturesThem()
    {
        await MakePodAsync();
        using (var agent = await StartAgentAsync())
        {
            await AddPodAsync();
            await Wait.UntilAsync(() => Marked() == "enabled", () => "the mark on the pod");
            await agent.SignalAsync("KILL");
            await agent.EndAsync();
        }
        (await Command.RunAsync(["ip", "netns", "del", _namespace])).Expect(0);
        File.Delete(Path.Combine(_folder, "pods.json"));
        await MakePodAsync();

        // Nothing is captured yet, so the pod does not start: what the plugin says is the text of the kubelet's Event.
        var refused = await Command.RunAsync(Plugin);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("would start outside the mesh", refused.Output, StringComparison.Ordinal);

        File.Delete(Path.Combine(_folder, "agent.sock"));
        using var next = await StartAgentAsync();
        await AddPodAsync();
        Assert.Contains(":15001", await ListenersAsync(), StringComparison.Ordinal);
        Assert.Contains("istio-ambient", (await InPodAsync("nft", "list", "ruleset")).Output, StringComparison.Ordinal);
        await next.SignalAsync("TERM");
        (await next.EndAsync()).Expect(0);
    }

    private async Task MakePodAsync()
    {
        (await Command.RunAsync(["ip", "netns", "add", _namespace])).Expect(0);
        (await InPodAsync("ip", "address", "add", $"{PodAddress}/32", "dev", "lo")).Expect(0);
        (await InPodAsync("ip", "link", "set", "lo", "up")).Expect(0);
    }

    private async Task<Command> StartAgentAsync(params string[] environment)
    {
        var agent = Command.Start([
            "env", .. environment,
            "NODE_NAME=n1", "POD_NAMESPACE=istio-system", "ZTUNNEL_POD_SOURCE=kubernetes", $"ZTUNNEL_KUBECONFIG={_folder}/kubeconfig", $"ZTUNNEL_AGENT_SOCKET={_folder}/agent.sock",
            $"INPOD_UDS={_folder}/ztunnel.sock", "XDS_ADDRESS=", "CA_ADDRESS=", $"LOCAL_XDS_PATH={_folder}/static.yaml", Repository.Program("ztunnel"),
        ]);
        await Wait.UntilAsync(() => File.Exists(Path.Combine(_folder, "agent.sock")), () => $"the agent's socket; so far: {agent.OutputSoFar}");
        return agent;
    }

    private string[] Plugin => ["env", "CNI_COMMAND=ADD", "CNI_CONTAINERID=c", "CNI_IFNAME=eth0", $"CNI_NETNS=/run/netns/{_namespace}", "CNI_ARGS=K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web",
        "sh", "-c", $"'{Repository.CniPlugin}' < '{_folder}/cni.json'"];

    private async Task AddPodAsync() => (await Command.RunAsync(Plugin)).Expect(0);

    private Task<CommandResult> InPodAsync(params string[] command) => Command.RunAsync(["ip", "netns", "exec", _namespace, .. command]);

    private async Task<string> ListenersAsync() => (await InPodAsync("ss", "-Hltn")).Output;

    private string? Marked() => (string?)_server.Get("", "pods", "shop", "web")!["metadata"]!["annotations"]?[Mark];

    private void Label(string? value)
    {
        var body = _server.Get("", "namespaces", "", "shop")!.DeepClone().AsObject();
        body["metadata"]!["labels"] = value is null ? new JsonObject() : new JsonObject { ["istio.io/dataplane-mode"] = value };
        _server.Store.Put(body);
    }
}

/// <summary>Needs root, and nft to look at what was written.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class AgentFactAttribute : FactAttribute
{
    public AgentFactAttribute() => Skip = Prerequisites.MissingRoot() ?? Prerequisites.MissingTools("ip", "ss", "nft", "env");
}
