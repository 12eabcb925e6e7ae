using Mesh.Waypoint.Resilience;

namespace Mesh.Waypoint.Balancing;

/// <summary>What the control plane says about a cluster, checked. Immutable.</summary>
internal sealed class ClusterModel
{
    public ClusterModel(V1.Cluster cluster)
    {
        if (cluster.Name.Length == 0)
            throw new ConfigurationException("a cluster has no name");
        Source = cluster;
        Endpoints = [.. cluster.Endpoints.Select(e => (EndpointState.KeyOf(cluster.Name, e), e))];
        var twice = Endpoints.GroupBy(e => e.Key).FirstOrDefault(g => g.Count() > 1);
        if (twice is not null)
            throw new ConfigurationException($"cluster {cluster.Name}: endpoint {twice.Key} is listed twice");
        Outlier = OutlierSettings.Compile(cluster.OutlierDetection);
        Limits = ConnectionLimits.Compile(cluster.ConnectionPool);
        Hash = cluster.LoadBalancer is { Policy: V1.LoadBalancer.Types.Policy.ConsistentHash, ConsistentHash: not null }
            ? new HashPolicy(cluster.LoadBalancer.ConsistentHash)
            : null;
        Tls = Forwarding.ClientTls.Compile(cluster);
        Warmup = cluster.LoadBalancer?.Warmup?.ToTimeSpan();
        Shape = cluster.Clone();
        Shape.Endpoints.Clear();
        ConnectionShape = Shape.Clone();
        ConnectionShape.LoadBalancer = null;
        ConnectionShape.OutlierDetection = null;
    }

    public string Name => Source.Name;

    public V1.Cluster Source { get; }

    /// <summary>The same without endpoints.</summary>
    public V1.Cluster Shape { get; }

    /// <summary>What connections are made by; while it is equal, pools stay.</summary>
    public V1.Cluster ConnectionShape { get; }

    public IReadOnlyList<(EndpointKey Key, V1.Endpoint Endpoint)> Endpoints { get; }

    public OutlierSettings? Outlier { get; }

    public ConnectionLimits Limits { get; }

    public HashPolicy? Hash { get; }

    /// <summary>TLS towards the application; null: none but the tunnel's.</summary>
    public Forwarding.ClientTls? Tls { get; }

    public TimeSpan? Warmup { get; }

    public V1.LoadBalancer.Types.Policy Policy => Source.LoadBalancer?.Policy ?? V1.LoadBalancer.Types.Policy.LeastRequest;

    /// <summary>Below this share of usable endpoints all are used, working or not; 0: never.</summary>
    public int PanicPercent => (int)(Source.OutlierDetection?.MinHealthPercent ?? 0);

    public int PriorityOf(int index) =>
        Source.LoadBalancer is { } balancer && index < balancer.FailoverPriorities.Count ? (int)balancer.FailoverPriorities[index] : 0;
}
