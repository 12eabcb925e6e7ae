using System.Collections.Concurrent;

namespace Mesh.Waypoint.Balancing;

/// <summary>
/// All clusters by name. A state stays as long as something names it, so counters, ejections and pools survive configuration that comes and goes;
/// a route may name a cluster before it arrives (then: no cluster found).
/// </summary>
internal sealed class ClusterRegistry(TimeProvider time, Random random)
{
    private readonly ConcurrentDictionary<string, ClusterState> _clusters = new(StringComparer.Ordinal);

    /// <summary>For how long at most an endpoint is less preferred that answered that it is rate-limited; zero: such answers do not count.</summary>
    public TimeSpan LongestPushback { get; init; } = TimeSpan.FromSeconds(30);

    public IEnumerable<ClusterState> All => _clusters.Values;

    public ClusterState Reference(string name) => _clusters.GetOrAdd(name, n => new ClusterState(n, time, random, LongestPushback));

    /// <exception cref="ConfigurationException">The cluster cannot be served; the one before stays.</exception>
    public ClusterModel Compile(V1.Cluster cluster) => new(cluster);

    public void Apply(ClusterModel model) => Reference(model.Name).Apply(model);

    public void Remove(string name)
    {
        if (_clusters.TryGetValue(name, out var state))
            state.Apply(null);
    }
}
