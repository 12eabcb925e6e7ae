using System.Collections.Concurrent;
using Mesh.Waypoint.Balancing;

namespace Mesh.Waypoint.Forwarding;

/// <summary>
/// The connections to one endpoint, apart for each client identity: the CONNECT of a tunnel states the client, so a connection belongs to it as a
/// tunnel belongs to its source. Retiring lets running requests finish and closes what is idle.
/// </summary>
internal sealed class UpstreamPools
{
    private readonly ConcurrentDictionary<string, UpstreamPool> _pools = new(StringComparer.Ordinal);

    public UpstreamPool Get(EndpointState endpoint, ClusterState cluster, ClusterModel model, string? clientPrincipal, IUpstreamDialer dialer, TimeProvider time)
    {
        // Endpoints outside the mesh are told nothing, so their connections may serve every client.
        var key = endpoint.Description.Hbone ? clientPrincipal ?? string.Empty : string.Empty;
        return _pools.TryGetValue(key, out var there)
            ? there
            : _pools.GetOrAdd(key, static (_, state) => new UpstreamPool(state.endpoint, state.cluster, state.model, state.dialer, state.time), (endpoint, cluster, model, dialer, time));
    }

    public void Retire()
    {
        foreach (var key in _pools.Keys)
        {
            if (_pools.TryRemove(key, out var pool))
                pool.Retire();
        }
    }
}
