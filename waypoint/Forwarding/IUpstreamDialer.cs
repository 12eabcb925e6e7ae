using Mesh.Waypoint.Balancing;

namespace Mesh.Waypoint.Forwarding;

/// <summary>Why no connection to an endpoint could be made. Whatever it is, the application saw nothing: trying elsewhere is safe.</summary>
internal enum DialFailure
{
    Refused,
    TimedOut,
    Unreachable,

    /// <summary>Certificates: none of its own yet, or the endpoint proved another identity.</summary>
    Identity,

    /// <summary>The far proxy answered the CONNECT with another status than 200; its policy's 401 too, which may be one endpoint's alone.</summary>
    TunnelRefused,

    /// <summary>The tunnel broke or was reset before it stood.</summary>
    TunnelLost,
}

/// <summary>A connection that did not come about; the text is for people and goes into the access log.</summary>
internal sealed class DialException(DialFailure failure, string message, Exception? inner = null) : IOException(message, inner)
{
    public DialFailure Failure { get; } = failure;
}

/// <summary>What a new upstream connection states about whom it is for.</summary>
/// <param name="ClientPrincipal">The SPIFFE URI of the client as this waypoint authenticated it; null for one without.</param>
/// <param name="TraceParent">Of the request that needed the connection first.</param>
internal sealed record DialContext(string? ClientPrincipal, string? TraceParent)
{
    /// <summary>TLS to the application itself, inside a tunnel where there is one; null: none.</summary>
    public ClientTls? Tls { get; init; }

    /// <summary>What will be spoken, for ALPN.</summary>
    public bool Http2 { get; init; }
}

/// <summary>Opens byte streams to endpoints.</summary>
internal interface IUpstreamDialer
{
    /// <exception cref="DialException">No connection.</exception>
    ValueTask<Stream> DialAsync(EndpointState endpoint, DialContext context, TimeSpan timeout, CancellationToken cancellation);
}
