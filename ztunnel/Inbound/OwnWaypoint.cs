using Mesh.Model;
using Mesh.Model.Workloads;

namespace Mesh.Ztunnel.Inbound;

/// <summary>
/// Whether a peer is the waypoint of a workload, as the control plane names it. Only then does the client that the peer states count:
/// anybody else could claim to speak for whomever it likes.
/// </summary>
internal static class OwnWaypoint
{
    /// <summary>The waypoint of the workload itself or of a service it belongs to.</summary>
    public static bool Is(MeshSnapshot mesh, Workload destination, SpiffeId peer)
    {
        if (destination.Waypoint is { } own && IsIdentityOf(mesh, own, peer))
            return true;
        foreach (var membership in destination.Services)
        {
            if (mesh.FindService(membership.Service) is { } service && ReferencesOf(service).Any(w => IsIdentityOf(mesh, w, peer)))
                return true;
        }
        return false;
    }

    public static IEnumerable<GatewayAddress> ReferencesOf(Service service)
    {
        if (service.Waypoint is { } single)
            yield return single;
        foreach (var weighted in service.WeightedWaypoints)
            yield return weighted.Destination;
    }

    public static Service? ServiceOf(MeshSnapshot mesh, GatewayAddress reference) => reference.Address is { } address
        ? mesh.FindService(address, null)
        : mesh.FindService(reference.Hostname!.Value);

    public static Workload? WorkloadOf(MeshSnapshot mesh, GatewayAddress reference) => reference.Address is { } address
        ? mesh.FindWorkload(address)
        : mesh.FindWorkloadByHostname(reference.Hostname!.Value);

    private static bool IsIdentityOf(MeshSnapshot mesh, GatewayAddress reference, SpiffeId peer)
    {
        if (ServiceOf(mesh, reference) is not { } service)
            return WorkloadOf(mesh, reference) is { } workload && workload.Identity == peer;
        if (service.SubjectAltNames.Contains(peer))
            return true;
        // All members, healthy or not: a waypoint that is about to be taken out still speaks for its clients.
        return mesh.FindEndpoints(service.Key) is { } endpoints && endpoints.Members.Values.Any(e => e.Workload.Identity == peer);
    }
}
