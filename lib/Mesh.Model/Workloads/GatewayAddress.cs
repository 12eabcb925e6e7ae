using System.Diagnostics.CodeAnalysis;

namespace Mesh.Model.Workloads;

/// <summary>Where a waypoint or east-west gateway is: an address, or the name of a service (or workload). Exactly one of the two is set.</summary>
public sealed record GatewayAddress
{
    private GatewayAddress(NetworkAddress? address, NamespacedHostname? hostname, ushort port)
    {
        Address = address;
        Hostname = hostname;
        HboneMtlsPort = port;
    }

    public NetworkAddress? Address { get; }

    public NamespacedHostname? Hostname { get; }

    public ushort HboneMtlsPort { get; }

    [MemberNotNullWhen(true, nameof(Address))]
    [MemberNotNullWhen(false, nameof(Hostname))]
    public bool IsAddress => Address is not null;

    public static GatewayAddress ByAddress(NetworkAddress address, ushort hboneMtlsPort) => new(address, null, hboneMtlsPort);

    public static GatewayAddress ByHostname(NamespacedHostname hostname, ushort hboneMtlsPort) => new(null, hostname, hboneMtlsPort);

    /// <summary>The destination alone: <c>network/ip</c> or <c>namespace/hostname</c>.</summary>
    public string Destination => Address is { } address ? address.ToString() : Hostname!.Value.ToString();

    public override string ToString() => $"{Destination}:{HboneMtlsPort}";
}

/// <summary>One of several waypoints of a service; the share is the weight over the sum of weights, decided per connection.</summary>
public sealed record WeightedWaypoint(GatewayAddress Destination, uint Weight);
