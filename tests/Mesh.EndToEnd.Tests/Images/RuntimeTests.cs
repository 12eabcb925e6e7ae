using Mesh.EndToEnd.Tests.Harness;
using Mesh.Testing;
using Mesh.Testing.Kubernetes;

namespace Mesh.EndToEnd.Tests.Images;

/// <summary>Programs of others with the image that is made without a container engine: tools that carry images, and a runtime that runs a pod of it.</summary>
[Collection(LayoutFixture.Name)]
public sealed class RuntimeTests(LayoutFixture layouts) : IAsyncLifetime
{
    private const string PodAddress = "198.18.62.2";
    private const string Uid = "5b1f7c1e-0000-4000-8000-000000000062";

    private readonly string _folder = Directory.CreateTempSubdirectory("mesh-runtime-").FullName;
    private readonly string _name = $"mesh-ctr-{Environment.ProcessId}";
    private readonly FakeApiServer _server = new();

    /// <summary>Under the kubelet's, so that it is found as such, and of our own, so that it can be removed.</summary>
    private string ControlGroup => $"kubepods-{_name}";

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        await Command.RunAsync(["ip", "netns", "del", _name]);
        await Command.RunAsync(["find", "/sys/fs/cgroup", "-depth", "-type", "d", "-path", $"*{ControlGroup}*", "-exec", "rmdir", "{}", ";"]);
        Directory.Delete(_folder, recursive: true);
    }

    [CarrierFact]
    public async Task Layout_IsTaken_ByToolsThatCarryAndUnpackImages()
    {
        var layout = await layouts.OfTheAgentAsync();
        var seen = (await Command.RunAsync(["skopeo", "inspect", $"oci:{layout}"])).Expect(0).Output;
        Assert.Contains("\"Os\": \"linux\"", seen, StringComparison.Ordinal);
        (await Command.RunAsync(["skopeo", "copy", $"oci:{layout}", $"docker-archive:{_folder}/docker.tar:mesh/ztunnel:test"])).Expect(0);
        var tag = (await Command.RunAsync(["umoci", "list", "--layout", layout])).Expect(0).Output.Trim();
        (await Command.RunAsync(["umoci", "unpack", "--image", $"{layout}:{tag}", $"{_folder}/bundle"])).Expect(0);
        Assert.True(File.Exists($"{_folder}/bundle/rootfs/app/ztunnel"));
        Assert.Contains("\"/app/ztunnel\"", await File.ReadAllTextAsync($"{_folder}/bundle/config.json"), StringComparison.Ordinal);
    }

    /// <summary>Nobody tells the agent where the pod's namespace is: it finds it by the control group that runc made.</summary>
    [ContainerdFact]
    public async Task Pod_OfARealRuntime_IsFoundByItsControlGroup_AndCaptured()
    {
        (await Command.RunAsync(["ip", "netns", "add", _name])).Expect(0);
        (await InPodAsync("ip", "link", "set", "lo", "up")).Expect(0);
        (await InPodAsync("ip", "address", "add", $"{PodAddress}/32", "dev", "lo")).Expect(0);
        await using var runtime = await Containerd.StartAsync(_folder);
        var image = await runtime.ImportAsync(await layouts.OfTheAgentAsync(), "mesh.test/ztunnel");
        await runtime.RunAsync(image, _name, _name, $"/{ControlGroup}/besteffort/pod{Uid}/{_name}", "/app/ztunnel", "probe", "serve");
        await Wait.UntilAsync(async () => (await ListenersAsync()).Contains(":8080", StringComparison.Ordinal), () => "the pod's program");

        await _server.StartAsync();
        _server.Put("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"istio.io/dataplane-mode":"ambient"}}}""");
        _server.Put($$$"""{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop","uid":"{{{Uid}}}"},"spec":{"nodeName":"n1","serviceAccountName":"web","containers":[]},"status":{"phase":"Running","podIP":"{{{PodAddress}}}","podIPs":[{"ip":"{{{PodAddress}}}"}]}}""");
        await File.WriteAllTextAsync(Path.Combine(_folder, "kubeconfig"), _server.KubeConfig(_server.ActAs(Repository.Manifest, "istio-system", "ztunnel")));
        await File.WriteAllTextAsync(Path.Combine(_folder, "static.yaml"), "workloads: []\n");
        using var agent = Command.Start([
            "env", "NODE_NAME=n1", "POD_NAMESPACE=istio-system", "ZTUNNEL_POD_SOURCE=kubernetes", $"ZTUNNEL_KUBECONFIG={_folder}/kubeconfig", $"INPOD_UDS={_folder}/ztunnel.sock",
            "XDS_ADDRESS=", "CA_ADDRESS=", $"LOCAL_XDS_PATH={_folder}/static.yaml", Repository.Program("ztunnel"),
        ]);
        await Wait.UntilAsync(() => (string?)_server.Get("", "pods", "shop", "web")!["metadata"]!["annotations"]?["ambient.istio.io/redirection"] == "enabled", () => $"the mark on the pod; so far: {agent.OutputSoFar}");
        Assert.Contains(":15001", await ListenersAsync(), StringComparison.Ordinal);
        Assert.Contains("istio-ambient", (await InPodAsync("nft", "list", "ruleset")).Output, StringComparison.Ordinal);

        // There is no DaemonSet: the mesh is being removed.
        await agent.SignalAsync("TERM");
        (await agent.EndAsync()).Expect(0);
        Assert.DoesNotContain("istio-ambient", (await InPodAsync("nft", "list", "ruleset")).Output, StringComparison.Ordinal);
    }

    private Task<CommandResult> InPodAsync(params string[] command) => Command.RunAsync(["ip", "netns", "exec", _name, .. command]);

    private async Task<string> ListenersAsync() => (await InPodAsync("ss", "-Hltn")).Output;
}

/// <summary>Needs what making the image needs, and the two tools.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class CarrierFactAttribute : FactAttribute
{
    public CarrierFactAttribute() => Skip = Prerequisites.MissingRoot() ?? Prerequisites.MissingTools("dotnet", "git", "tar", "gzip", "nft", "iptables", "ldconfig", "skopeo", "umoci");
}
