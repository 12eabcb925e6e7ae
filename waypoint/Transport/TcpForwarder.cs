using Mesh.Waypoint.Authorization;
using Mesh.Waypoint.Authorization.External;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Telemetry;

namespace Mesh.Waypoint.Transport;

/// <summary>Connections that are not HTTP: authorized by what is known of them, balanced once, carried both ways with half-close.</summary>
internal sealed class TcpForwarder(
    IUpstreamDialer dialer,
    Func<PolicyTable> policies,
    ExternalAuthorizers authorizers,
    IConnectionReporter reporter,
    WaypointLimits limits,
    TimeProvider time,
    Random random)
{
    // Envoy's TCP proxy tries to connect once unless told otherwise; we hide a dead endpoint as the HTTP side does.
    private const int ConnectAttempts = 3;

    public void ReportUnknown(InboundConnection connection) =>
        reporter.Report(new ConnectionReport(connection, null, null, null, ResponseFlags.NoRouteFound, "no service of this waypoint has this address and port", 0, 0, TimeSpan.Zero));

    public async Task ForwardAsync(InboundConnection connection, Destination destination, PortRoutes port, CancellationToken cancellation)
    {
        var started = time.GetTimestamp();
        var pump = new TcpPump(limits.TcpIdleTimeout, time);
        var flags = ResponseFlags.None;
        string? details = null;
        ClusterState? cluster = null;
        EndpointState? endpoint = null;
        try
        {
            // 1. May this client connect?
            var set = policies().For(destination);
            var verdict = set.EvaluateTcp(connection);
            if (verdict.IsAllowed && set.HasCustom)
                verdict = await authorizers.AuthorizeConnectionAsync(set.MatchingCustom(PolicyFacts.OfConnection(connection)), connection, destination, cancellation);
            if (!verdict.IsAllowed)
            {
                details = verdict.Details;
                return;
            }

            // 2. Which cluster, which endpoint?
            cluster = port.MatchTcp(connection.Caller, connection.Original, random);
            if (cluster?.View is not { } view)
            {
                flags = cluster is null ? ResponseFlags.NoRouteFound : ResponseFlags.NoClusterFound;
                return;
            }

            Stream? upstream;
            (upstream, endpoint, flags, details) = await ConnectAsync(connection, cluster, view, cancellation);
            if (upstream is null)
                return;

            // 3. Both directions, each ending by itself.
            endpoint!.Enter();
            try
            {
                await using (upstream)
                    await pump.RunAsync(connection, upstream, cancellation);
            }
            finally
            {
                endpoint.Leave();
            }
        }
        finally
        {
            await connection.DisposeAsync();
            reporter.Report(new ConnectionReport(
                connection, destination, cluster, endpoint, flags, details, pump.BytesFromClient, pump.BytesToClient, time.GetElapsedTime(started)));
        }
    }

    private async Task<(Stream? Stream, EndpointState? Endpoint, ResponseFlags Flags, string? Details)> ConnectAsync(
        InboundConnection connection, ClusterState cluster, ClusterView view, CancellationToken cancellation)
    {
        List<EndpointState>? tried = null;
        string? failure = null;
        EndpointState? endpoint = null;
        for (var attempt = 0; attempt < ConnectAttempts; attempt++)
        {
            var hash = view.Model.Hash is null ? null : HashPolicy.HashSource(connection.Caller);
            endpoint = view.Pick(hash, random, tried);
            if (endpoint is null)
                return (null, null, ResponseFlags.NoHealthyUpstream, "no_healthy_upstream");
            try
            {
                var timeout = view.Model.Limits.ConnectTimeout;
                var stream = await dialer.DialAsync(endpoint, new DialContext(connection.Caller.Spiffe, connection.TraceParent) { Tls = view.Model.Tls }, timeout, cancellation);
                cluster.Report(endpoint, EndpointResult.Connected);
                return (stream, endpoint, ResponseFlags.None, null);
            }
            catch (DialException e)
            {
                cluster.Report(endpoint, EndpointResult.ConnectionFailed);
                failure = e.Message;
                (tried ??= []).Add(endpoint);
                view = cluster.View ?? view;
            }
        }

        return (null, endpoint, ResponseFlags.UpstreamConnectionFailure, failure);
    }
}
