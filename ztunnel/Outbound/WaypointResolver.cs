using System.Net;
using Mesh.Model;
using Mesh.Model.Selection;
using Mesh.Model.Workloads;

namespace Mesh.Ztunnel.Outbound;

/// <summary>From the reference to a waypoint or gateway to the workload that takes the tunnel.</summary>
internal static class WaypointResolver
{
    public static Upstream? Resolve(MeshSnapshot mesh, GatewayAddress reference, Workload source, Random random) =>
        Find(mesh, reference, source, SelectionPurpose.Waypoint, random);

    public static Upstream? ResolveGateway(MeshSnapshot mesh, GatewayAddress reference, Workload source, Random random) =>
        Find(mesh, reference, source, SelectionPurpose.Traffic, random);

    /// <summary>Whether the caller is that waypoint itself, by identity and address: its traffic to the workload must not come back to it.</summary>
    public static bool IsCaller(MeshSnapshot mesh, GatewayAddress reference, Workload source, IPAddress downstream)
    {
        if (ServiceOf(mesh, reference) is { } service)
        {
            foreach (var endpoint in mesh.FindEndpoints(service.Key)?.Endpoints ?? [])
            {
                if (IsSame(endpoint.Workload, source, downstream))
                    return true;
            }
            return false;
        }
        return WorkloadOf(mesh, reference) is { } workload && IsSame(workload, source, downstream);
    }

    private static Upstream? Find(MeshSnapshot mesh, GatewayAddress reference, Workload source, SelectionPurpose purpose, Random random)
    {
        if (ServiceOf(mesh, reference) is { } service)
            return OutboundRouter.Balance(mesh, service, reference.HboneMtlsPort, source, purpose, random);
        return WorkloadOf(mesh, reference) is { } workload ? new Upstream(workload, reference.HboneMtlsPort, null) : null;
    }

    private static Service? ServiceOf(MeshSnapshot mesh, GatewayAddress reference) => reference.Address is { } address
        ? mesh.FindService(address.Network, address.Address, null)
        : mesh.FindService(reference.Hostname!.Value);

    private static Workload? WorkloadOf(MeshSnapshot mesh, GatewayAddress reference) => reference.Address is { } address
        ? mesh.FindWorkload(address.Network, address.Address)
        : mesh.FindWorkloadByHostname(reference.Hostname!.Value);

    private static bool IsSame(Workload workload, Workload source, IPAddress downstream) =>
        workload.Identity == source.Identity && workload.HasAddress(downstream);
}
