using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;

using Mesh.EndToEnd.Tests.Harness;
using Mesh.EndToEnd.Tests.Images;
using Mesh.Testing.Kubernetes;
using Mesh.Testing.Kubernetes.Storage;

namespace Mesh.EndToEnd.Tests.StandIn;

/// <summary>
/// A cluster on one machine: an API server with real semantics, two nodes with namespaces of their own, and kubelets that run pods of real images with
/// runc, as their specifications say. What it does not have is kube-proxy and a name server; the control plane's name is in every hosts file.
/// </summary>
internal sealed class StandInCluster : IAsyncDisposable
{
    public const string Home = "istio-system";
    public const string ApiAddress = "198.18.60.1";
    public const int ApiPort = 6443;

    /// <summary>Where pods ask for names: nobody is there, so who is answered is answered by the mesh.</summary>
    private const string NameServer = "198.18.60.253";

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private readonly System.Collections.Concurrent.ConcurrentDictionary<string, Kubelet> _kubelets = new(StringComparer.Ordinal);
    private readonly List<IDisposable> _doors = [];
    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;

    /// <summary>What the nodes' cables come together in; the API server's side of the network.</summary>
    private ClusterNode? _middle;
    private int _addresses = 9;
    private string _hosts = string.Empty;

    private StandInCluster(string folder, ImageStore images, SeccompProfiles seccomp)
    {
        (Folder, Images, Seccomp) = (folder, images, seccomp);
        Controllers = new Controllers(Server, () => [.. _kubelets.Keys.Order(StringComparer.Ordinal)]);
        ControlGroup = $"kubepods-mesh-{Environment.ProcessId}";
        HostsFile = Path.Combine(folder, "hosts");
        File.WriteAllText(HostsFile, "127.0.0.1 localhost\n");
    }

    public FakeApiServer Server { get; } = new(inside: IPAddress.Parse(ApiAddress));

    public Controllers Controllers { get; }

    public ImageStore Images { get; }

    public SeccompProfiles Seccomp { get; }

    public string Folder { get; }

    public string ControlGroup { get; }

    public string HostsFile { get; }

    private string KubeConfig => Path.Combine(Folder, "kubeconfig");

    public static async Task<StandInCluster> StartAsync(ImageStore images, string folder)
    {
        var cluster = new StandInCluster(folder, images, await SeccompProfiles.StartAsync(folder));
        await cluster.Server.StartAsync();
        cluster.Server.InstallMeshKinds();
        cluster.Server.Authorization.Enforced = true;
        await File.WriteAllTextAsync(cluster.KubeConfig, cluster.Server.KubeConfig());
        cluster._middle = await ClusterNode.StartAsync("middle", ApiAddress, Path.Combine(folder, "disk-middle"));
        await cluster.AddNodeAsync("n1", "198.18.60.2");
        await cluster.AddNodeAsync("n2", "198.18.60.3");
        // The API server and the control plane's webhook are on different sides of the cluster's network.
        var network = cluster._middle.Network;
        cluster._doors.Add(new Door(network, new IPEndPoint(IPAddress.Parse(ApiAddress), ApiPort), null, () => new IPEndPoint(IPAddress.Loopback, cluster.Server.Address.Port)));
        var webhook = new Door(null, new IPEndPoint(IPAddress.Loopback, 0), network, () => cluster.ReadyAddress("app", "istiod") is { } istiod ? new IPEndPoint(IPAddress.Parse(istiod), 15017) : null);
        cluster._doors.Add(webhook);
        cluster.Server.Webhooks.Route(Home, "istiod", new Uri($"https://127.0.0.1:{webhook.Port.ToString(CultureInfo.InvariantCulture)}"));
        cluster._loop = cluster.LoopAsync();
        return cluster;
    }

    public string NextAddress() => $"198.18.60.{Interlocked.Increment(ref _addresses).ToString(CultureInfo.InvariantCulture)}";

    public string ResolverFile(string ns)
    {
        var path = Path.Combine(Folder, $"resolv-{ns}.conf");
        if (!File.Exists(path))
            File.WriteAllText(path, $"nameserver {NameServer}\nsearch {ns}.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5 timeout:1 attempts:2\n");
        return path;
    }

    public ClusterNode Node(string name) => _kubelets[name].Node;

    /// <summary>meshctl of this build, with the cluster's kubeconfig.</summary>
    public async Task<CommandResult> MeshctlAsync(params string[] arguments)
    {
        try
        {
            return await Command.RunAsync([Repository.Program("meshctl"), .. arguments, "--kubeconfig", KubeConfig]);
        }
        catch (TimeoutException impatience)
        {
            throw new TimeoutException($"{impatience.Message}\n{Story()}", impatience);
        }
    }

    /// <summary>Stores documents as they are; nobody judges them (<see cref="ApplyAsync"/> is judged).</summary>
    public void Put(params string[] documents)
    {
        foreach (var document in documents)
            Server.Put(document);
    }

    public void Delete(string group, string plural, string ns, string name) => Server.Store.Delete(Server.Store.FindKind(group, "v1", plural)!, ns, name, null, new WriteContext());

    /// <summary>Writes through the API, as kubectl would.</summary>
    public async Task<(HttpStatusCode Code, string Text)> ApplyAsync(string path, string yaml)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Patch, new Uri(Server.PlainAddress, $"{path}?fieldManager=kubectl&force=true")) { Content = new StringContent(yaml, Encoding.UTF8, "application/apply-patch+yaml") };
        request.Headers.Add("Authorization", $"Bearer {FakeApiServer.AdminToken}");
        using var response = await http.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    public StoredObject? Pod(string ns, string name) => Server.Store.Find("", "pods", ns, name);

    public IEnumerable<StoredObject> Pods(string label, string value) => Controllers.List("", "pods").Where(p => (string?)p.Body["metadata"]!["labels"]?[label] == value);

    public string? ReadyAddress(string label, string value) => (string?)Pods(label, value).FirstOrDefault(Controllers.IsReady)?.Body["status"]!["podIP"];

    public PodContainer Container(string ns, string name) => Running(Pod(ns, name)!).Containers[0];

    public PodContainer Container(StoredObject pod) => Running(pod).Containers[0];

    public bool IsRunning(string ns, string name) => Pod(ns, name) is { } pod && _kubelets.Values.Any(k => k.Find(pod.Uid) is { Containers.Count: > 0 });

    /// <summary>The kubelet has asked the pod's container once more, from the beginning.</summary>
    public async Task ProbedAgainAsync(string ns, string name)
    {
        var running = Running(Pod(ns, name)!);
        var probes = running.Probes;
        await UntilAsync(() => running.Probes >= probes + 2, $"a probe of {ns}/{name}");
    }

    public Task CrashAsync(StoredObject pod) => Running(pod).CrashAsync();

    public void LetStart(StoredObject pod) => Running(pod).LetStart();

    public IEnumerable<string> EventsOf(string name) => Controllers.List("events.k8s.io", "events").Where(e => (string?)e.Body["regarding"]?["name"] == name).Select(e => (string?)e.Body["note"] ?? string.Empty);

    public Task<CommandResult> ExecuteAsync(string ns, string pod, params string[] command) => Container(ns, pod).ExecuteAsync(command);

    /// <summary>What everybody said, for a test that failed.</summary>
    public string Story()
    {
        var text = new StringBuilder();
        foreach (var pod in Controllers.List("", "pods"))
        {
            text.Append(CultureInfo.InvariantCulture, $"--- {pod.Namespace}/{pod.Name} on {pod.Body["spec"]!["nodeName"]}: {pod.Body["status"]?.ToJsonString()}\n");
            foreach (var container in _kubelets.Values.Select(k => k.Find(pod.Uid)).OfType<RunningPod>().SelectMany(p => p.Containers.ToList()))
                text.Append(container.Log.Length > 4000 ? container.Log[^4000..] : container.Log).Append('\n');
        }
        foreach (var told in Controllers.List("events.k8s.io", "events"))
            text.Append(CultureInfo.InvariantCulture, $"Event {told.Body["regarding"]?["namespace"]}/{told.Body["regarding"]?["name"]} {told.Body["reason"]}: {told.Body["note"]}\n");
        return text.ToString();
    }

    /// <summary>Waits for what the cluster's own processes do.</summary>
    public Task UntilAsync(Func<bool> condition, string what) => Wait.UntilAsync(condition, () => $"{what}\n{Story()}");

    public Task UntilAsync(Func<Task<bool>> condition, string what) => Wait.UntilAsync(condition, () => $"{what}\n{Story()}");

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _doors.ForEach(d => d.Dispose());
        foreach (var kubelet in _kubelets.Values)
            await kubelet.DisposeAsync();
        if (_middle is { } middle)
            await middle.DisposeAsync();
        await Seccomp.DisposeAsync();
        await Server.DisposeAsync();
        await Command.RunAsync(["find", "/sys/fs/cgroup", "-depth", "-type", "d", "-path", $"*{ControlGroup}*", "-exec", "rmdir", "{}", ";"]);
        _stop.Dispose();
    }

    private async Task AddNodeAsync(string name, string address)
    {
        Server.Put($$$"""{"apiVersion":"v1","kind":"Node","metadata":{"name":"{{{name}}}","labels":{"kubernetes.io/os":"linux","kubernetes.io/hostname":"{{{name}}}"}},"status":{"addresses":[{"type":"InternalIP","address":"{{{address}}}"}],"nodeInfo":{"operatingSystem":"linux","kernelVersion":"6.1.0"} } }""");
        await PowerOnAsync(name, address);
    }

    private async Task PowerOnAsync(string name, string address)
    {
        var node = await ClusterNode.StartAsync(name, address, Path.Combine(Folder, $"disk-{name}"));
        await node.JoinAsync(_middle!);
        _kubelets[name] = new Kubelet(this, node);
    }

    /// <summary>The node's power fails, and comes back: what was running is started again, what was on its disk is there.</summary>
    public async Task RestartAsync(params string[] names)
    {
        var old = names.Select(n => (Name: n, Kubelet: _kubelets[n])).ToList();
        foreach (var (name, kubelet) in old)
        {
            _kubelets.TryRemove(name, out _);
            await kubelet.DisposeAsync();
        }
        foreach (var (name, kubelet) in old)
            await PowerOnAsync(name, kubelet.Node.Address);
    }

    private RunningPod Running(StoredObject pod) => _kubelets.Values.Select(k => k.Find(pod.Uid)).First(p => p is not null)!;

    private async Task LoopAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            Controllers.Look();
            WriteHosts();
            var pods = Controllers.List("", "pods");
            foreach (var kubelet in _kubelets.Values)
                kubelet.Look(pods);
            await Task.Delay(Pause, CancellationToken.None);
        }
    }

    /// <summary>In place: it is mounted into every container.</summary>
    private void WriteHosts()
    {
        var istiod = ReadyAddress("app", "istiod");
        var text = $"127.0.0.1 localhost\n{(istiod is null ? string.Empty : $"{istiod} istiod.{Home}.svc istiod.{Home}.svc.cluster.local\n")}";
        if (text == _hosts)
            return;
        _hosts = text;
        File.WriteAllText(HostsFile, text);
    }
}
