using Mesh.Waypoint.Authorization;
using Mesh.Waypoint.Authorization.External;
using Mesh.Waypoint.Configuration;
using Mesh.Waypoint.Filters;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Pipeline;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Telemetry;
using Mesh.Waypoint.Telemetry.Tracing;
using Mesh.Waypoint.Transport;
using Microsoft.Extensions.Logging;

namespace Mesh.Waypoint;

/// <summary>What the data path needs from outside: tests put plain TCP and a clock of their own here.</summary>
internal sealed record DataPathParts
{
    public required WaypointConfiguration Configuration { get; init; }

    public required IUpstreamDialer Dialer { get; init; }

    public required IRequestReporter Requests { get; init; }

    public required IConnectionReporter Connections { get; init; }

    public required JwksFetcher FetchKeys { get; init; }

    /// <summary>Told about issuers whose keys could not be fetched: the source and why.</summary>
    public Action<string, string>? OnKeysFailure { get; init; }

    /// <summary>Null: no filters. Disposed with the data path.</summary>
    public FilterFolder? Filters { get; init; }

    /// <summary>What spans say about who reports them: <c>gateway.namespace</c>.</summary>
    public string ServiceName { get; init; } = "waypoint";

    public required ILoggerFactory Loggers { get; init; }

    /// <summary>What mirrored requests name as their last hop.</summary>
    public System.Net.IPAddress OwnAddress { get; init; } = System.Net.IPAddress.Loopback;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public Random Random { get; init; } = Random.Shared;

    public PathNormalization PathNormalization { get; init; } = PathNormalization.Base;

    /// <summary>What policies allow only in one of the ways to read its path is refused.</summary>
    public bool RefuseAmbiguousPaths { get; init; } = true;

    public WaypointLimits Limits { get; init; } = WaypointLimits.Default;
}

/// <summary>Everything between an accepted tunnel and the endpoint, put together. Knows nothing of xDS, certificates or sockets.</summary>
internal sealed class DataPath : IDisposable
{
    private readonly WaypointServer _server;
    private readonly RequestPipeline _pipeline;
    private readonly SpanReporters _spans;
    private readonly FilterFolder? _filters;
    private readonly DrainSignal _draining = new();

    public DataPath(DataPathParts parts)
    {
        var configuration = parts.Configuration;
        var dialer = new TlsDialer(parts.Dialer);
        var forwarder = new Forwarder(dialer, parts.Limits, parts.Time, parts.Random, new MirrorSender(dialer, parts.OwnAddress, parts.Time, parts.Random));
        var services = new ServiceClients(configuration.Clusters, dialer, parts.Random);
        var authorizers = new ExternalAuthorizers(services, parts.Time);
        var authenticator = new JwtAuthenticator(new JwksCache(parts.FetchKeys, parts.Time, parts.OnKeysFailure), parts.Time);
        _filters = parts.Filters;
        _spans = new SpanReporters(services, parts.ServiceName);
        _pipeline = new RequestPipeline(
            [
                new ReportStep(parts.Requests, parts.Time, _draining).InvokeAsync, // makes the exchange; reports it at the end, whatever happened
                new HygieneStep(parts.PathNormalization).InvokeAsync, // takes the facts, normalises the path, cleans the headers
                new RouteStep(() => configuration.Routes).InvokeAsync, // service and route by the CONNECT's address and port
                new TracingStep(_spans, parts.Time, parts.Random).InvokeAsync, // spans: started here, ended with the request
                new ExternalAuthorizationStep(() => configuration.Policies, authorizers, parts.RefuseAmbiguousPaths).InvokeAsync, // AuthorizationPolicy with CUSTOM: others are asked
                new JwtStep(() => configuration.Policies, authenticator).InvokeAsync, // RequestAuthentication: bad tokens end here
                new AuthorizationStep(() => configuration.Policies, parts.RefuseAmbiguousPaths).InvokeAsync, // AuthorizationPolicy: DENY, ALLOW
                .. parts.Filters is { } filters ? (Step[])[new FilterStep(filters).InvokeAsync] : [], // filters of other people, from a folder
                new FaultStep(parts.Time, parts.Random).InvokeAsync, // injected delay, then injected abort
                new CorsStep().InvokeAsync, // answers preflights
                new RateLimitStep(() => configuration.Policies, services, parts.Time).InvokeAsync, // RateLimitPolicy: buckets here, then the service
            ],
            new ActionStep(forwarder).InvokeAsync); // redirect, direct response, or forwarding with retries
        var kestrel = new TunnelListenerFactory();
        var tcp = new TcpForwarder(dialer, () => configuration.Policies, authorizers, parts.Connections, parts.Limits, parts.Time, parts.Random);
        _server = new WaypointServer(kestrel, parts.Limits, parts.Loggers);
        Inbound = new InboundDispatcher(() => configuration.Routes, kestrel, tcp);
    }

    /// <summary>Where accepted connections go.</summary>
    public InboundDispatcher Inbound { get; }

    public Task StartAsync(CancellationToken cancellation = default) => _server.StartAsync(_pipeline, cancellation);

    /// <summary>From now on every answer sends its client elsewhere; requests are served as before.</summary>
    public void BeginDrain() => _draining.Set();

    public Task StopAsync(CancellationToken cancellation) => _server.StopAsync(cancellation);

    public void Dispose()
    {
        _server.Dispose();
        _spans.Dispose();
        _filters?.Dispose();
    }
}
