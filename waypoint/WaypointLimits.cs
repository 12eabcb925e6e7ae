using Mesh.Hbone;
using Mesh.Http2;
using Mesh.Runtime;

namespace Mesh.Waypoint;

/// <summary>
/// What one client may ask of the waypoint, and for how long. Every value can be set (docs/waypoint.md); the defaults are Envoy's as Istio
/// configures them (reference 7.3, 7.6). A time of zero is no limit.
/// </summary>
internal sealed record WaypointLimits
{
    public static WaypointLimits Default { get; } = new();

    /// <summary>Octets of a request's header section, and of its request line; above: 431 on HTTP/1, the connection's or stream's end on HTTP/2.</summary>
    public int MaxRequestHeaderBytes { get; init; } = 60 * 1024;

    public int MaxRequestHeaders { get; init; } = 100;

    /// <summary>Streams of one HTTP/2 connection inside a tunnel.</summary>
    public int MaxConcurrentStreams { get; init; } = 1024;

    /// <summary>Tunnels of one HBONE connection.</summary>
    public int MaxTunnels { get; init; } = 100;

    /// <summary>Octets of a request's body that wait in memory, and that a retry can send again; above, the client waits, and there is no retry.</summary>
    public int ConnectionBuffer { get; init; } = 1024 * 1024;

    public int StreamWindow { get; init; } = 1024 * 1024;

    public int ConnectionWindow { get; init; } = 4 * 1024 * 1024;

    /// <summary>From a request's first byte to the end of its headers: 408.</summary>
    public TimeSpan RequestHeadersTimeout { get; init; }

    /// <summary>From a request's headers to the end of its body: 408.</summary>
    public TimeSpan RequestTimeout { get; init; }

    /// <summary>Silence of a request in both directions: 408 while the client was still sending, else 504; flag SI.</summary>
    public TimeSpan StreamIdleTimeout { get; init; }

    /// <summary>From a request's headers to the end of its response, however lively: 504, flag UMSDR.</summary>
    public TimeSpan MaxStreamDuration { get; init; }

    /// <summary>A client's connection without a request.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>A TCP connection without a byte in either direction.</summary>
    public TimeSpan TcpIdleTimeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Age at which an HBONE connection is told to go elsewhere (GOAWAY); its tunnels finish. Up to a tenth earlier, at random.</summary>
    public TimeSpan MaxTunnelAge { get; init; }

    public bool HasStreamTimes => StreamIdleTimeout > TimeSpan.Zero || RequestTimeout > TimeSpan.Zero || MaxStreamDuration > TimeSpan.Zero;

    public HboneOptions Hbone => new() { Server = Http2Options.ForServer with { MaxConcurrentStreams = MaxTunnels }, MaxConnectionAge = MaxTunnelAge };

    public static WaypointLimits Read(EnvironmentSettings environment) => new()
    {
        MaxRequestHeaderBytes = environment.Integer("MAX_REQUEST_HEADERS_BYTES", Default.MaxRequestHeaderBytes, 1024, 8 * 1024 * 1024),
        MaxRequestHeaders = environment.Integer("MAX_REQUEST_HEADERS_COUNT", Default.MaxRequestHeaders, 1, 100_000),
        MaxConcurrentStreams = environment.Integer("MAX_CONCURRENT_STREAMS", Default.MaxConcurrentStreams, 1),
        MaxTunnels = environment.Integer("HBONE_MAX_CONCURRENT_STREAMS", Default.MaxTunnels, 1),
        ConnectionBuffer = environment.Integer("CONNECTION_BUFFER_LIMIT_BYTES", Default.ConnectionBuffer, 64 * 1024),
        StreamWindow = environment.Integer("INITIAL_STREAM_WINDOW_BYTES", Default.StreamWindow, 65535),
        ConnectionWindow = environment.Integer("INITIAL_CONNECTION_WINDOW_BYTES", Default.ConnectionWindow, 65535),
        RequestHeadersTimeout = environment.Duration("REQUEST_HEADERS_TIMEOUT", Default.RequestHeadersTimeout),
        RequestTimeout = environment.Duration("REQUEST_TIMEOUT", Default.RequestTimeout),
        StreamIdleTimeout = environment.Duration("STREAM_IDLE_TIMEOUT", Default.StreamIdleTimeout),
        MaxStreamDuration = environment.Duration("MAX_STREAM_DURATION", Default.MaxStreamDuration),
        IdleTimeout = environment.Duration("DOWNSTREAM_IDLE_TIMEOUT", Default.IdleTimeout),
        TcpIdleTimeout = environment.Duration("TCP_IDLE_TIMEOUT", Default.TcpIdleTimeout),
        MaxTunnelAge = environment.Duration("HBONE_MAX_CONNECTION_AGE", Default.MaxTunnelAge),
    };
}
