using Mesh.Kubernetes.Connection;
using Mesh.Kubernetes.Requests;
using Mesh.Runtime;
using Mesh.Runtime.Logging;
using Mesh.Ztunnel.NodeAgent.Cni;
using Mesh.Ztunnel.Pods;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.NodeAgent.Cluster;

/// <summary>The Kubernetes side of the node agent, put together: watches, marks, Events, and the socket of the CNI plugin.</summary>
internal sealed class ClusterAgent : IAsyncDisposable
{
    private readonly CaptureWaiters _waiters = new();
    private readonly AgentSocket? _socket;
    private readonly CniPlugin? _plugin;
    private readonly PluginAccess? _access;

    /// <summary>What we leave on the node for our successor, and nobody wants when there is none.</summary>
    private readonly List<string> _traces = [];
    private bool _isForGood;

    private ClusterAgent(ClusterConfiguration cluster, ZtunnelSettings settings, NodeFaults faults, LogSink sink, TimeProvider time)
    {
        var client = new KubeClient(cluster, new KubeClientOptions { Time = time, UserAgent = "mesh-ztunnel", ServerDate = date => Pods?.TakeServerDate(date) });
        var place = new ClusterPlace(settings.NodeName, settings.Self.PodNamespace is { Length: > 0 } home ? home : "istio-system", settings.Self.PodName is { Length: > 0 } own ? own : null);
        var folder = Path.GetDirectoryName(settings.Pods.Socket)!;
        var known = Path.Combine(folder, "pods.json");
        _traces.Add(known);
        Pods = new ClusterPods(client, place, new EnrolmentRule(settings.Pods.ExcludedNamespaces, place.Home), new KnownPodsFile(known, sink, time), faults, sink);
        if (settings.Pods.AgentSocket is { } path)
        {
            _socket = new AgentSocket(path, Pods, _waiters, sink, time);
            _traces.Add(path);
        }
        if (settings.Pods.Cni is { } cni)
        {
            var accessPath = PluginAccess.PathIn(folder);
            _access = cni.IsChained ? new PluginAccess(accessPath, cluster, sink, time) : null;
            _traces.AddRange(PluginAccess.Files(accessPath));
            string[] arguments = [$"--agent-socket={settings.Pods.AgentSocket}", $"--required={(cni.IsRequired ? "true" : "false")}", $"--access={accessPath}", $"--home={place.Home}", $"--excluded={string.Join(',', settings.Pods.ExcludedNamespaces.Order(StringComparer.Ordinal))}"];
            _plugin = new CniPlugin(cni, arguments, Pods.TakePlugin, sink, time);
        }
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

    /// <summary>From here on new pods are held until they are captured; what takes no part starts, whether the control plane is there or not.</summary>
    public void Start()
    {
        Pods.Start();
        _socket?.Start();
        _access?.Start();
        // After the socket: what it is to ask must be there.
        _plugin?.Start();
    }

    /// <summary>The mesh leaves this node: nobody will be there to ask, and nothing of it is left when this is disposed of.</summary>
    public Task LeaveNodeAsync()
    {
        _isForGood = true;
        return _plugin?.RemoveAsync() ?? Task.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        if (_plugin is { } plugin)
            await plugin.DisposeAsync();
        if (_access is { } access)
            await access.DisposeAsync();
        _socket?.Dispose();
        await Pods.DisposeAsync();
        if (_isForGood)
            _traces.ForEach(File.Delete);
    }
}
