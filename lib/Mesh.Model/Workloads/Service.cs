using Mesh.Model.Collections;

namespace Mesh.Model.Workloads;

/// <summary>A name with virtual addresses behind which endpoints stand.</summary>
public sealed record Service
{
    public string Name { get; init; } = "";

    public required string Namespace { get; init; }

    public required string Hostname { get; init; }

    public ValueList<NetworkAddress> Vips { get; init; }

    public ValueList<NetworkPrefix> CidrVips { get; init; }

    public PortMap Ports { get; init; } = PortMap.Empty;

    /// <summary>Identities accepted from an endpoint besides its own.</summary>
    public ValueList<SpiffeId> SubjectAltNames { get; init; }

    public GatewayAddress? Waypoint { get; init; }

    /// <summary>Overrides <see cref="Waypoint"/> as soon as one weight is above 0.</summary>
    public ValueList<WeightedWaypoint> WeightedWaypoints { get; init; }

    public LoadBalancer? LoadBalancer { get; init; }

    /// <summary>Null: no restriction.</summary>
    public IpFamilies? IpFamilies { get; init; }

    /// <summary>Wins when several namespaces define the same hostname or address.</summary>
    public bool Canonical { get; init; }

    public ServiceVisibility Visibility { get; init; }

    /// <summary>For gateways of the mesh edge; the node agent does not look at it.</summary>
    public bool IngressUseWaypoint { get; init; }

    public NamespacedHostname Key => new(Namespace, Hostname);

    public bool IsVisibleTo(string? clientNamespace) => Visibility == ServiceVisibility.Public || Namespace == clientNamespace;

    /// <summary>Keeps endpoints by health: unhealthy ones only where the service asks for all (how "publish not ready" arrives).</summary>
    public bool Admits(HealthStatus status) => status == HealthStatus.Healthy || LoadBalancer?.HealthPolicy == HealthPolicy.AllowAll;

    /// <summary>The waypoint for one new connection: sampled by weight, else the single one, else null.</summary>
    public GatewayAddress? ChooseWaypoint(Random random)
    {
        ulong total = 0;
        foreach (var candidate in WeightedWaypoints)
            total += candidate.Weight;
        if (total == 0)
            return Waypoint;

        var ticket = (ulong)random.NextInt64((long)total);
        foreach (var candidate in WeightedWaypoints)
        {
            if (ticket < candidate.Weight)
                return candidate.Destination;
            ticket -= candidate.Weight;
        }

        return Waypoint;
    }
}

/// <summary>Which endpoints may be chosen and which are preferred.</summary>
public sealed record LoadBalancer
{
    /// <summary>Scopes from the most important on.</summary>
    public ValueList<LoadBalancerScope> RoutingPreferences { get; init; }

    public LoadBalancerMode Mode { get; init; }

    public HealthPolicy HealthPolicy { get; init; }
}

/// <summary>A workload as an endpoint of one service.</summary>
public sealed record Endpoint(Workload Workload, PortMap Ports);
