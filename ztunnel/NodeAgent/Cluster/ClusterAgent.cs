using Mesh.Kubernetes.Connection;
using Mesh.Kubernetes.Requests;
using Mesh.Runtime;
using Mesh.Runtime.Logging;
using Mesh.Ztunnel.Pods;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.NodeAgent.Cluster;

/// <summary>The Kubernetes side of the node agent, put together: watches, marks, Events, and the socket of the CNI plugin.</summary>
internal sealed class ClusterAgent : IAsyncDisposable
{
    private readonly CaptureWaiters _waiters = new();
    private readonly AgentSocket? _socket;

    private ClusterAgent(ClusterConfiguration cluster, ZtunnelSettings settings, NodeFaults faults, LogSink sink, TimeProvider time)
    {
        var client = new KubeClient(cluster, new KubeClientOptions { Time = time, UserAgent = "mesh-ztunnel", ServerDate = date => Pods?.TakeServerDate(date) });
        var place = new ClusterPlace(settings.NodeName, settings.Self.PodNamespace is { Length: > 0 } home ? home : "istio-system", settings.Self.PodName is { Length: > 0 } own ? own : null);
        var folder = Path.GetDirectoryName(settings.Pods.Socket)!;
        Pods = new ClusterPods(client, place, new EnrolmentRule(settings.Pods.ExcludedNamespaces, place.Home), new KnownPodsFile(Path.Combine(folder, "pods.json"), sink, time), faults, sink);
        if (settings.Pods.AgentSocket is { } path)
            _socket = new AgentSocket(path, Pods, _waiters, sink, time);
    }

    public ClusterPods Pods { get; }

    /// <exception cref="StartException">There is no cluster to speak to.</exception>
    public static ClusterAgent Create(ZtunnelSettings settings, NodeFaults faults, LogSink sink, TimeProvider time)
    {
        try
        {
            var cluster = settings.Pods.Kubeconfig is { } file ? KubeConfigFile.Load(file, null, time) : InClusterConfiguration.Load(time);
            return new ClusterAgent(cluster, settings, faults, sink, time);
        }
        catch (ClusterConfigurationException e)
        {
            throw new StartException(ExitCodes.Configuration, $"ZTUNNEL_POD_SOURCE=kubernetes: {e.Message}");
        }
    }

    public IPodEvents Events(IPodEvents inner) => new ClusterPodEvents(inner, Pods, _waiters);

    public void Start()
    {
        Pods.Start();
        _socket?.Start();
    }

    public async ValueTask DisposeAsync()
    {
        _socket?.Dispose();
        await Pods.DisposeAsync();
    }
}
