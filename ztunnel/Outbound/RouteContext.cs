using System.Net;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Outbound;

/// <summary>How a route is named in logs, metrics and the dump.</summary>
internal static class RouteContext
{
    public static ConnectionContext Of(OutboundRoute route, Workload source)
    {
        var context = new ConnectionContext
        {
            Source = source,
            Destination = route.Destination,
            Service = route.Service,
            DestinationIdentity = route.Destination?.Identity,
            Hop = Hop(route),
            Route = Name(route),
        };
        return route switch
        {
            OutboundRoute.Tunnel tunnel => context with { IsMutualTls = true, SourceIdentity = source.Identity, HboneTarget = tunnel.Authority ?? $"{tunnel.Hop.Hostname}:{tunnel.AuthorityPort}" },
            OutboundRoute.DoubleTunnel tunnel => context with { IsMutualTls = true, SourceIdentity = source.Identity, HboneTarget = tunnel.Authority },
            _ => context,
        };
    }

    private static string Name(OutboundRoute route) => route switch
    {
        OutboundRoute.Tunnel { IsWaypoint: true } => "waypoint",
        OutboundRoute.Tunnel => "tunnel",
        OutboundRoute.DoubleTunnel => "gateway",
        OutboundRoute.Direct => "plain",
        _ => "passthrough",
    };

    public static string Protocol(OutboundRoute route) => route switch
    {
        OutboundRoute.Tunnel => "HBONE",
        OutboundRoute.DoubleTunnel => "DOUBLEHBONE",
        _ => "TCP",
    };

    /// <summary>The eight source labels and the name.</summary>
    public static string[] OnDemandLabels(TrafficPeer source, SpiffeId? principal, string hostname) =>
    [
        source.Workload, source.CanonicalService, source.CanonicalRevision, source.Namespace, principal?.ToString() ?? TrafficPeer.Unknown, source.App, source.CanonicalRevision, source.Cluster, hostname,
    ];

    private static EndPoint Hop(OutboundRoute route) => route switch
    {
        OutboundRoute.Tunnel tunnel => EndPointOf(tunnel.Hop),
        OutboundRoute.DoubleTunnel tunnel => EndPointOf(tunnel.Hop),
        OutboundRoute.Direct direct => EndPointOf(direct.Hop),
        OutboundRoute.Passthrough passthrough => passthrough.Target.Value,
        _ => throw new InvalidOperationException("a refusal has no next hop"),
    };

    private static EndPoint EndPointOf(NextHop hop) => hop.Address is null ? new DnsEndPoint(hop.Hostname!, hop.Port) : hop.EndPoint;
}
