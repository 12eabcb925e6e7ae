using System.Net;
using Mesh.Model.Collections;

namespace Mesh.Model.Workloads;

/// <summary>One pod, VM or external endpoint as the control plane describes it, after conversion: defaults are applied, names are checked.</summary>
public sealed record Workload
{
    public const string DefaultTrustDomain = "cluster.local";
    public const string DefaultServiceAccount = "default";
    public const string DefaultClusterId = "Kubernetes";

    /// <summary>The key, for a pod <c>CLUSTER//Pod/NAMESPACE/NAME</c>.</summary>
    public required string Uid { get; init; }

    public string Name { get; init; } = "";

    public string Namespace { get; init; } = "";

    public string TrustDomain { get; init; } = DefaultTrustDomain;

    public string ServiceAccount { get; init; } = DefaultServiceAccount;

    /// <summary>The network that <see cref="Addresses"/> are unique in.</summary>
    public string Network { get; init; } = "";

    public ValueList<IPAddress> Addresses { get; init; }

    public NetworkMode NetworkMode { get; init; }

    public TunnelProtocol Protocol { get; init; }

    /// <summary>Used for traffic that is addressed to the workload itself, not to a service.</summary>
    public GatewayAddress? Waypoint { get; init; }

    /// <summary>The way in when the caller is in another network.</summary>
    public GatewayAddress? NetworkGateway { get; init; }

    public ApplicationTunnel? ApplicationTunnel { get; init; }

    public string Node { get; init; } = "";

    public string ClusterId { get; init; } = DefaultClusterId;

    public Locality Locality { get; init; } = Locality.Unknown;

    /// <summary>A DNS name to resolve when there is no usable address.</summary>
    public string Hostname { get; init; } = "";

    public HealthStatus Status { get; init; }

    /// <summary>Load-balancing weight; 0 takes the workload out of the choice.</summary>
    public uint Capacity { get; init; } = 1;

    public bool NativeTunnel { get; init; }

    public string CanonicalName { get; init; } = "";

    public string CanonicalRevision { get; init; } = "";

    public string WorkloadName { get; init; } = "";

    public WorkloadType WorkloadType { get; init; }

    /// <summary>The services it is an endpoint of, each with the ports as this workload has them.</summary>
    public ValueList<ServiceMembership> Services { get; init; }

    /// <summary>xDS names of the selector-scoped policies that apply to it.</summary>
    public ValueList<string> AuthorizationPolicies { get; init; }

    public SpiffeId Identity => new(TrustDomain, Namespace, ServiceAccount);

    public bool HasAddress(IPAddress address) => Addresses.Contains(address);
}

/// <summary>A workload's place in a service. A port that is missing here takes the service's own target.</summary>
public sealed record ServiceMembership(NamespacedHostname Service, PortMap Ports);
