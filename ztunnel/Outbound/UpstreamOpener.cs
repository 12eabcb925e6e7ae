using System.Net;
using System.Net.Sockets;
using Mesh.Hbone;
using Mesh.Http2;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Net;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Outbound;

/// <summary>What came of opening a route: a tunnel, a plain socket, or a failure. Exactly one of the three.</summary>
internal readonly record struct OpenedUpstream(Tunnel? Tunnel, LoopSocket? Socket, Failure? Failure)
{
    /// <summary>Set when the far end said more about itself than the registry knows.</summary>
    public ConnectionContext? Redescribed { get; init; }

    /// <summary>The tunnel connection that was used, also where it refused; null where there was none.</summary>
    public HboneClientConnection? Connection { get; init; }

    public bool Reused { get; init; }

    /// <summary>The inbound side, where it is in this process and the bytes take the short way.</summary>
    public INearConnection? Near { get; init; }

    /// <summary>Nobody wants it any more.</summary>
    public void Discard()
    {
        Near?.Complete(TransferResult.Cut(Ending.PeerReset));
        Tunnel?.Reset(Http2ErrorCode.CANCEL);
        Socket?.Dispose();
    }
}

/// <summary>Opens the upstream of a route. Every failure is a value.</summary>
internal static class UpstreamOpener
{
    /// <param name="resolved">Told the name when one had to be resolved.</param>
    public static ValueTask<OpenedUpstream> OpenAsync(PodLane lane, OutboundRoute route, Workload source, IPEndPoint client, TraceParent trace, Action<string> resolved) => route switch
    {
        OutboundRoute.Tunnel tunnel when NearTunnel.Find(lane, tunnel) is { } near => NearTunnel.OpenAsync(near, tunnel, source, client, trace),
        OutboundRoute.Tunnel tunnel => OpenTunnelAsync(lane, tunnel, source, client, trace, resolved),
        OutboundRoute.DoubleTunnel nested => NestedTunnel.OpenAsync(lane, nested, source, client, trace, resolved),
        OutboundRoute.Direct direct => OpenDirectAsync(lane, direct, resolved),
        OutboundRoute.Passthrough passthrough => OpenPlainAsync(lane, passthrough.Target.Value),
        _ => throw new InvalidOperationException($"{route.GetType().Name} cannot be opened"),
    };

    /// <summary>A failed CONNECT in the words of the access log.</summary>
    private static Failure FailureOf(in TunnelResult result, int port)
    {
        // A SYN to the mesh's port without any answer has its own flag: dashboards point at NetworkPolicy with it.
        var isBlocked = result.DialFailed && result.Ending == Ending.UpstreamTimeout;
        var reason = result.Headers?.Get(HboneHeaders.Reason);
        return new Failure(result.Ending, reason is null ? result.Error : $"{result.Error} ({reason})", isBlocked && port == OutboundRouter.HbonePort ? Failure.NetworkPolicyFlag : null, reason);
    }

    private static async ValueTask<OpenedUpstream> OpenTunnelAsync(
        PodLane lane, OutboundRoute.Tunnel route, Workload source, IPEndPoint client, TraceParent trace, Action<string> resolved)
    {
        if (await AddressAsync(route.Hop, route.PreferredFamily, resolved) is not { } address)
            return NotResolved(route.Hop);
        var authority = route.Authority ?? new IPEndPoint(address, route.AuthorityPort).ToString();
        var target = new TunnelTarget(source.Identity, route.Accepted, new IPEndPoint(address, route.Hop.Port), client.Address);
        var connect = HboneHeaders.Connect(authority, WorkloadBaggage.Of(source), client, route.Service?.Hostname, trace);
        var result = await lane.Pool.OpenAsync(target, connect);
        return Opened(lane, result, route.Hop.Port);
    }

    internal static OpenedUpstream Opened(PodLane lane, in TunnelResult result, int port)
    {
        if (result.Ending == Ending.CertificateRevoked)
            lane.Telemetry.Metrics.CrlRejections.With("source").Increment();
        return new OpenedUpstream(result.Tunnel, null, result.IsOpen ? null : FailureOf(result, port)) { Connection = result.Connection, Reused = result.Reused };
    }

    private static async ValueTask<OpenedUpstream> OpenDirectAsync(PodLane lane, OutboundRoute.Direct route, Action<string> resolved) =>
        await AddressAsync(route.Hop, route.PreferredFamily, resolved) is { } address
            ? await OpenPlainAsync(lane, new IPEndPoint(address, route.Hop.Port))
            : NotResolved(route.Hop);

    private static async ValueTask<OpenedUpstream> OpenPlainAsync(PodLane lane, IPEndPoint remote)
    {
        var result = await LoopConnector.ConnectAsync(lane.Services.Loop, lane.Sockets.Connect(remote));
        return result.Socket is { } socket
            ? new OpenedUpstream(null, socket, null)
            : new OpenedUpstream(null, null, result.ToFailure("io error", remote));
    }

    internal static async ValueTask<IPAddress?> AddressAsync(NextHop hop, AddressFamily preferred, Action<string> resolved)
    {
        if (hop.Address is { } known)
            return known;
        resolved(hop.Hostname!);
        return await HostResolver.ResolveAsync(hop.Hostname!, preferred);
    }

    internal static OpenedUpstream NotResolved(NextHop hop) =>
        new(null, null, new Failure(Ending.NoHealthyUpstream, $"dns lookup: the host name {hop.Hostname} of the workload has no address"));
}
