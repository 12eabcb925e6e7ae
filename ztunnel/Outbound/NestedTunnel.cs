using System.Net;
using Mesh.Hbone;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Outbound;

/// <summary>
/// Across networks: a tunnel to the gateway, and inside it TLS and a tunnel of their own to the workload, so that the gateway sees neither
/// bytes nor identities. The inner connection is not pooled: the gateway balances, and a pooled one would pin us to one remote pod.
/// </summary>
internal static class NestedTunnel
{
    public static async ValueTask<OpenedUpstream> OpenAsync(PodLane lane, OutboundRoute.DoubleTunnel route, Workload source, IPEndPoint client, TraceParent trace, Action<string> resolved)
    {
        if (await UpstreamOpener.AddressAsync(route.Hop, client.AddressFamily, resolved) is not { } address)
            return UpstreamOpener.NotResolved(route.Hop);

        // (1) The outer tunnel is an ordinary pooled one; its authority already names the service.
        var baggage = WorkloadBaggage.Of(source);
        var outerTarget = new TunnelTarget(source.Identity, route.Gateway, new IPEndPoint(address, route.Hop.Port), client.Address);
        var outer = await lane.Pool.OpenAsync(outerTarget, HboneHeaders.Connect(route.Authority, baggage, client, route.Service?.Hostname, trace));
        if (outer.Tunnel is not { } carrier)
            return UpstreamOpener.Opened(lane, outer, route.Hop.Port);

        // (2) The inner one proves the identity of the service, and says from which network the caller is.
        var innerTarget = outerTarget with { Accepted = route.Final };
        var connect = HboneHeaders.Connect(route.Authority, baggage, client, route.Service?.Hostname, trace, network: lane.Settings.Network);
        var inner = await lane.Dialer.OpenInsideAsync(carrier, innerTarget, connect);
        var opened = UpstreamOpener.Opened(lane, inner, route.Hop.Port);
        if (opened.Tunnel is not { } tunnel)
            return opened;

        // (3) The answer describes who is really there; the registry only knew a gateway.
        return opened with { Redescribed = Describe(route, source, tunnel) };
    }

    private static ConnectionContext Describe(OutboundRoute.DoubleTunnel route, Workload source, Tunnel tunnel)
    {
        var said = Baggage.Parse(tunnel.Headers.GetAll(HboneHeaders.Baggage));
        return RouteContext.Of(route, source) with
        {
            DestinationIdentity = tunnel.Connection.PeerIdentity ?? route.Destination?.Identity,
            DestinationLabels = TrafficPeer.FromBaggage(
                said.ClusterId, said.Namespace, said.WorkloadName, said.ServiceName, said.ServiceVersion, said.Region, said.Zone),
        };
    }
}
