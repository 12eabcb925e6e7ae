using Mesh.Model.Workloads;

namespace Mesh.Model.Selection;

/// <summary>What the traffic is for: a waypoint may be found without the service naming the port.</summary>
public enum SelectionPurpose
{
    Traffic,
    Waypoint,
}

/// <summary>Where the caller stands, as far as the choice of an endpoint depends on it.</summary>
public sealed record SelectionSource(string Network, string ClusterId, string Node, Locality Locality)
{
    public static SelectionSource Of(Workload workload) => new(workload.Network, workload.ClusterId, workload.Node, workload.Locality);
}

/// <summary>An endpoint that may be used, with the port to connect to.</summary>
public readonly record struct Candidate(Endpoint Endpoint, ushort TargetPort)
{
    public Workload Workload => Endpoint.Workload;
}

/// <summary>Which endpoints of a service a caller may use, which are preferred, and the choice among them. Pure but for the random number.</summary>
public static class EndpointSelection
{
    /// <summary>Weighted random choice by capacity among the preferred candidates; null when there is none (or none has weight).</summary>
    /// <remarks>PASSTHROUGH services are the caller's case: they are not asked here.</remarks>
    public static Candidate? Select(ServiceEndpoints service, SelectionSource source, ushort servicePort, SelectionPurpose purpose, Random random) =>
        service.Selections.Get(service, source, servicePort, purpose).Pick(random);

    /// <summary>The candidates that the choice is made among: usable, and of the best rank where the service has preferences.</summary>
    public static IReadOnlyList<Candidate> Preferred(ServiceEndpoints service, SelectionSource source, ushort servicePort, SelectionPurpose purpose)
    {
        var balancer = service.Service.LoadBalancer;
        var ranked = balancer is { Mode: LoadBalancerMode.Strict or LoadBalancerMode.Failover };
        var best = new List<Candidate>();
        var bestRank = 0;
        foreach (var endpoint in service.Endpoints)
        {
            if (!IsReachable(endpoint.Workload, source) || TargetPort(service.Service, endpoint, servicePort, purpose) is not { } port)
                continue;
            var rank = ranked ? Rank(balancer!, source, endpoint.Workload) : 0;
            if (rank is null || rank < bestRank)
                continue;
            if (rank > bestRank)
                best.Clear();
            bestRank = rank.Value;
            best.Add(new(endpoint, port));
        }

        return best;
    }

    /// <summary>An address or name to connect to, or a gateway of another network.</summary>
    public static bool IsReachable(Workload workload, SelectionSource source) =>
        !workload.Addresses.IsEmpty || workload.Hostname.Length > 0 || (workload.Network != source.Network && workload.NetworkGateway is not null);

    /// <summary>The endpoint's own mapping, else the service's target, else (application tunnel) the service port itself; null: this endpoint does not serve the port.</summary>
    public static ushort? TargetPort(Service service, Endpoint endpoint, ushort servicePort, SelectionPurpose purpose)
    {
        var hasTunnel = endpoint.Workload.ApplicationTunnel is not null;
        var defined = service.Ports.TryGetTarget(servicePort, out var serviceTarget);
        if (!defined && !(purpose == SelectionPurpose.Waypoint && hasTunnel))
            return null;

        // A mapping to 0 is a named port that this endpoint does not have.
        if (endpoint.Ports.TryGetTarget(servicePort, out var own) && own > 0)
            return own;
        if (serviceTarget > 0)
            return serviceTarget;
        if (purpose == SelectionPurpose.Traffic)
            return null;
        return endpoint.Workload.ApplicationTunnel?.Port is not null ? servicePort : null;
    }

    /// <summary>
    /// How many scopes match before the first that does not; null: STRICT excludes it. NETWORK as first scope is special: being in
    /// the same network outweighs all the rest, and being in another does not end the comparison, so that remote networks are ranked too.
    /// </summary>
    public static int? Rank(LoadBalancer balancer, SelectionSource source, Workload workload)
    {
        var scopes = balancer.RoutingPreferences;
        var matches = 0;
        var rank = 0;
        for (var i = 0; i < scopes.Count; i++)
        {
            var isLeadingNetwork = i == 0 && scopes[i] == LoadBalancerScope.Network;
            if (IsSame(scopes[i], source, workload))
            {
                matches++;
                rank += isLeadingNetwork ? scopes.Count : 1;
            }
            else if (!isLeadingNetwork)
            {
                break;
            }
        }

        return balancer.Mode == LoadBalancerMode.Strict && matches != scopes.Count ? null : rank;
    }

    private static bool IsSame(LoadBalancerScope scope, SelectionSource source, Workload workload) => scope switch
    {
        LoadBalancerScope.Region => source.Locality.Region == workload.Locality.Region,
        LoadBalancerScope.Zone => source.Locality.Zone == workload.Locality.Zone,
        LoadBalancerScope.Subzone => source.Locality.Subzone == workload.Locality.Subzone,
        LoadBalancerScope.Node => source.Node == workload.Node,
        LoadBalancerScope.Cluster => source.ClusterId == workload.ClusterId,
        LoadBalancerScope.Network => source.Network == workload.Network,
        _ => throw new ArgumentOutOfRangeException(nameof(scope), scope, "not a load balancing scope"),
    };
}
