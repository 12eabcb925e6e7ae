using System.Net;
using System.Net.Sockets;
using Mesh.Model;
using Mesh.Model.Workloads;

namespace Mesh.Ztunnel.Outbound;

/// <summary>A workload chosen for an address, the port to reach it on, and the service through which it was found.</summary>
internal readonly record struct Upstream(Workload Workload, int Port, Service? Service)
{
    /// <summary>Identities accepted from whoever answers there: the service's own names and the workload's.</summary>
    public IReadOnlyList<SpiffeId> Accepted => Service is { SubjectAltNames.IsEmpty: false } service
        ? [.. service.SubjectAltNames, Workload.Identity]
        : [Workload.Identity];

    /// <summary>
    /// The address to dial: the one the pod named if it is the workload's; else one that the service's families allow, of the pod's own
    /// family first; else a name to resolve. Null: it has neither.
    /// </summary>
    public NextHop? Hop(IPAddress named, int port)
    {
        if (Workload.HasAddress(named))
            return new NextHop(named, null, port);
        IPAddress? other = null;
        foreach (var address in Workload.Addresses)
        {
            if (!IsAllowed(address.AddressFamily))
                continue;
            if (address.AddressFamily == named.AddressFamily)
                return new NextHop(address, null, port);
            other ??= address;
        }
        if (other is not null)
            return new NextHop(other, null, port);
        return Workload.Hostname.Length > 0 ? new NextHop(null, Workload.Hostname, port) : null;
    }

    private bool IsAllowed(AddressFamily family) => Service?.IpFamilies switch
    {
        IpFamilies.IPv4 => family == AddressFamily.InterNetwork,
        IpFamilies.IPv6 => family == AddressFamily.InterNetworkV6,
        _ => true,
    };
}
