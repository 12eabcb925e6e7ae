using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

using Mesh.EndToEnd.Tests.Harness;

namespace Mesh.EndToEnd.Tests.StandIn;

/// <summary>
/// The life of one pod on its node: (1) volumes  (2) network  (3) init containers  (4) containers, again where they end and shall not  (5) probes
/// (6) its end: TERM, grace, KILL, network, and the object goes.
/// </summary>
internal sealed class RunningPod(Kubelet kubelet, JsonObject pod)
{
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan ProbePatience = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _ending = new();
    private readonly string _name = $"{pod["metadata"]!["namespace"]}-{pod["metadata"]!["name"]}";
    private readonly string _address = kubelet.Cluster.NextAddress();
    private readonly List<PodContainer> _containers = [];
    private int _starts;
    private TaskCompletionSource? _mayStart;

    public IReadOnlyList<PodContainer> Containers => _containers;

    /// <summary>How many times it was probed.</summary>
    public int Probes { get; private set; }

    public Task Life { get; private set; } = Task.CompletedTask;

    private string Folder => Path.Combine(kubelet.Folder, Uid);

    private string Uid => (string)pod["metadata"]!["uid"]!;

    private JsonNode Spec => pod["spec"]!;

    /// <summary>Its containers are killed, and not started again before <see cref="LetStart"/>: a crash loop in its pause.</summary>
    public async Task CrashAsync()
    {
        _mayStart = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        foreach (var container in _containers.ToList())
        {
            await container.KillAsync();
            await container.Ended;
        }
    }

    public void LetStart() => _mayStart?.SetResult();

    public void Start() => Life = LiveAsync();

    /// <param name="isPowerLoss">Nobody is left to be asked to end, or to say so.</param>
    public async Task EndAsync(bool isPowerLoss = false)
    {
        await _ending.CancelAsync();
        await Life;
        if (isPowerLoss)
            return;
        var grace = TimeSpan.FromSeconds((int?)Spec["terminationGracePeriodSeconds"] ?? 30);
        await Task.WhenAll(_containers.Select(c => c.StopAsync(grace)));
        await new PodSandbox(kubelet.Node, pod, _name, _address).RemoveAsync();
        kubelet.Release(pod);
    }

    private async Task LiveAsync()
    {
        try
        {
            // (1)
            var volumes = new PodVolumes(kubelet.Cluster.Server, pod, Folder);
            while (volumes.Prepare() is { } missing)
            {
                kubelet.Tell(pod, "FailedMount", $"MountVolume.SetUp failed: {missing}");
                await Task.Delay(Again, _ending.Token);
            }
            foreach (var folder in volumes.FoldersOfTheNode())
                await kubelet.Node.ShellAsync($"mkdir -p {folder}");
            // (2)
            var sandbox = new PodSandbox(kubelet.Node, pod, _name, _address);
            while (await sandbox.MakeAsync() is { } failure)
            {
                kubelet.Tell(pod, "FailedCreatePodSandBox", $"Failed to create pod sandbox: {failure}");
                await Task.Delay(Again, _ending.Token);
            }
            // (3)
            foreach (var container in Spec["initContainers"] as JsonArray ?? [])
            {
                while (await RunToItsEndAsync(container!, volumes) != 0)
                    await Task.Delay(Again, _ending.Token);
            }
            // (4)
            await Task.WhenAll(Spec["containers"]!.AsArray().Select(c => KeepRunningAsync(c!, volumes)));
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            // (6) is its owner's.
        }
        catch (Exception) when (kubelet.HasNoPower)
        {
            // Whatever was under way failed with the node.
        }
        catch (InvalidOperationException refused)
        {
            kubelet.Tell(pod, "Failed", $"Error: {refused.Message}");
        }
    }

    private async Task<int> RunToItsEndAsync(JsonNode container, PodVolumes volumes)
    {
        var running = await StartAsync(container, volumes);
        _containers.Add(running);
        await running.Ended.WaitAsync(_ending.Token);
        _containers.Remove(running);
        if ((await running.Ended).ExitCode is not 0 and var code)
            kubelet.Tell(pod, "BackOff", $"init container {container["name"]} ended with {code}: {running.Log}");
        return (await running.Ended).ExitCode;
    }

    private async Task KeepRunningAsync(JsonNode container, PodVolumes volumes)
    {
        while (true)
        {
            var running = await StartAsync(container, volumes);
            _containers.Add(running);
            SetStatus("Running", isReady: container["readinessProbe"] is null, new JsonObject { ["running"] = new JsonObject { ["startedAt"] = kubelet.Cluster.Server.Store.Now } });
            using var probing = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
            var probes = container["readinessProbe"] is { } probe ? ProbeAsync(probe, probing.Token) : Task.CompletedTask;
            try
            {
                await running.Ended.WaitAsync(_ending.Token);
            }
            finally
            {
                await probing.CancelAsync();
                await probes;
            }
            var (code, words) = ((await running.Ended).ExitCode, await running.WordsAsync());
            var ended = new JsonObject { ["terminated"] = new JsonObject { ["exitCode"] = code, ["message"] = words.Length > 0 ? words : null } };
            if ((string?)Spec["restartPolicy"] == "Never")
            {
                SetStatus(code == 0 ? "Succeeded" : "Failed", isReady: false, ended);
                return;
            }
            kubelet.Tell(pod, "BackOff", $"container {container["name"]} ended with {code}: {running.Log}");
            SetStatus("Running", isReady: false, ended);
            _containers.Remove(running);
            await Task.Delay(Again, _ending.Token);
            await (_mayStart?.Task ?? Task.CompletedTask).WaitAsync(_ending.Token);
        }
    }

    private async Task<PodContainer> StartAsync(JsonNode container, PodVolumes volumes)
    {
        var image = kubelet.Cluster.Images.Find((string)container["image"]!);
        var hosts = kubelet.Cluster.HostsFile;
        var configuration = OciBundle.Make(image.Configuration, pod, container, new ContainerPlace
        {
            Root = image.Root,
            NetworkPath = $"/run/netns/{_name}",
            ControlGroup = $"/{kubelet.Cluster.ControlGroup}/besteffort/pod{Uid}/{container["name"]}-{_starts}",
            Environment = [.. EnvironmentOf(container)],
            Seccomp = OciBundle.WantsDefaultSeccomp(pod, container) ? await kubelet.Cluster.Seccomp.OfAsync(OciBundle.CapabilitiesOf(container)) : null,
            Mounts = [.. volumes.Of(container), new ContainerMount(hosts, "/etc/hosts", ReadOnly: true), new ContainerMount(kubelet.Cluster.ResolverFile((string)pod["metadata"]!["namespace"]!), "/etc/resolv.conf", ReadOnly: true)],
        });
        var id = $"{_name}-{container["name"]}-{_starts++}";
        return await PodContainer.StartAsync(kubelet.Node, id, configuration, Path.Combine(Folder, id));
    }

    private IEnumerable<string> EnvironmentOf(JsonNode container)
    {
        yield return $"KUBERNETES_SERVICE_HOST={StandInCluster.ApiAddress}";
        yield return $"KUBERNETES_SERVICE_PORT={StandInCluster.ApiPort.ToString(CultureInfo.InvariantCulture)}";
        foreach (var variable in (container["env"] as JsonArray ?? []).OfType<JsonObject>())
        {
            var value = (string?)variable["valueFrom"]?["fieldRef"]?["fieldPath"] is { } field ? Field(field) : (string?)variable["value"];
            yield return $"{variable["name"]}={value}";
        }
    }

    private string Field(string path) => path switch
    {
        "metadata.name" => (string)pod["metadata"]!["name"]!,
        "metadata.uid" => Uid,
        "metadata.namespace" => (string)pod["metadata"]!["namespace"]!,
        "spec.nodeName" => kubelet.Node.Name,
        "spec.serviceAccountName" => (string?)Spec["serviceAccountName"] ?? "default",
        "status.podIP" => _address,
        "status.hostIP" => kubelet.Node.Address,
        _ => throw new InvalidOperationException($"a field that is not used here: {path}"),
    };

    /// <summary>(5) From the node's own network, as a kubelet: what is not its pod's answers within two seconds or not at all.</summary>
    private async Task ProbeAsync(JsonNode probe, CancellationToken cancel)
    {
        var before = false;
        try
        {
            while (true)
            {
                var now = await AnswersAsync(probe, cancel);
                if (now != before)
                    SetStatus("Running", now, null);
                before = now;
                Probes++;
                await Task.Delay(Again, cancel);
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // The container has ended.
        }
    }

    private async Task<bool> AnswersAsync(JsonNode probe, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(ProbePatience);
        var action = probe["httpGet"] ?? probe["tcpSocket"]!;
        using var socket = kubelet.Node.Network.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        try
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse(_address), (int)action["port"]!), limit.Token);
            if (probe["httpGet"] is null)
                return true;
            await socket.SendAsync(Encoding.ASCII.GetBytes($"GET {action["path"]} HTTP/1.1\r\nHost: {_address}\r\nUser-Agent: kube-probe/1.33\r\nConnection: close\r\n\r\n"), limit.Token);
            var buffer = new byte[64];
            var count = await socket.ReceiveAsync(buffer, limit.Token);
            return Encoding.ASCII.GetString(buffer, 0, count) is ['H', 'T', 'T', 'P', '/', '1', '.', _, ' ', '2' or '3', ..];
        }
        catch (Exception silent) when (silent is SocketException || (silent is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return false;
        }
    }

    private void SetStatus(string phase, bool isReady, JsonObject? state) => kubelet.SetStatus(pod, status =>
    {
        JsonObject Condition(string type, bool value) => new() { ["type"] = type, ["status"] = value ? "True" : "False" };
        status["phase"] = phase;
        status["podIP"] = _address;
        status["podIPs"] = new JsonArray(new JsonObject { ["ip"] = _address });
        status["hostIP"] = kubelet.Node.Address;
        status["startTime"] ??= kubelet.Cluster.Server.Store.Now;
        status["conditions"] = new JsonArray(Condition("PodScheduled", true), Condition("Initialized", true), Condition("ContainersReady", isReady), Condition("Ready", isReady));
        var container = Spec["containers"]![0]!;
        status["containerStatuses"] = new JsonArray(new JsonObject
        {
            ["name"] = (string)container["name"]!,
            ["image"] = (string)container["image"]!,
            ["ready"] = isReady,
            ["restartCount"] = Math.Max(0, _starts - 1),
            ["state"] = state ?? status["containerStatuses"]?[0]?["state"]?.DeepClone(),
        });
    });
}
