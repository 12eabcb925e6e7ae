using System.Net;
using Mesh.Hbone;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.Outbound;

/// <summary>
/// A destination that this process serves itself, where the operator wants the short way: the same identities, policy and records, and the bytes
/// go from socket to socket inside the kernel. Off by default: what the node's network would have seen and could have forbidden, it does not see.
/// </summary>
internal static class NearTunnel
{
    /// <summary>Null: it goes through a tunnel.</summary>
    public static INearPod? Find(PodLane lane, OutboundRoute.Tunnel route) =>
        lane.Near is { } near && route is { IsWaypoint: false, Hop: { Address: not null, Port: OutboundRouter.HbonePort }, Destination.ApplicationTunnel: null }
            ? near.Find(route.Destination, lane.Services.Loop)
            : null;

    public static async ValueTask<OpenedUpstream> OpenAsync(INearPod pod, OutboundRoute.Tunnel route, Workload source, IPEndPoint client, TraceParent trace)
    {
        var address = route.Hop.Address!;
        var authority = route.Authority ?? new IPEndPoint(address, route.AuthorityPort).ToString();
        var result = await pod.OpenAsync(new NearRequest(client, source, address, authority, route.Service, route.Accepted, trace));
        return new OpenedUpstream(null, result.Application, result.Failure)
        {
            Near = result.Inbound,
            Redescribed = RouteContext.Of(route, source) with { Route = "same_node" },
        };
    }

    /// <summary>What moves is counted on both sides.</summary>
    internal sealed class Meters(ITransferMeter outbound, ITransferMeter inbound) : ITransferMeter
    {
        public void Forwarded(long bytes)
        {
            outbound.Forwarded(bytes);
            inbound.Forwarded(bytes);
        }

        public void Returned(long bytes)
        {
            outbound.Returned(bytes);
            inbound.Returned(bytes);
        }
    }
}
