namespace Mesh.Model;

/// <summary>How a connection (or, in the waypoint, a request) ended: exactly one value each, the same in access log, metric, decision record and test.</summary>
/// <remarks>Closed on purpose: a new ending is a new member here, never a text. <see cref="EndingText"/> gives the spelling and the metric flag.</remarks>
public enum Ending
{
    /// <summary>Both sides ended in order.</summary>
    Ok,

    /// <summary>A DENY policy matched.</summary>
    DeniedByPolicy,

    /// <summary>ALLOW policies exist for the workload and none matched.</summary>
    NoPolicyMatched,

    /// <summary>A policy that arrived later forbids a connection that was open.</summary>
    PolicyChanged,

    /// <summary>The own certificate was not there before the deadline.</summary>
    IdentityNotIssued,

    /// <summary>The peer proved another identity than the control plane allows for that address.</summary>
    PeerIdentityMismatch,

    /// <summary>The TLS handshake failed for another reason.</summary>
    TlsFailure,

    /// <summary>The HTTP/2 exchange on the tunnel failed before the CONNECT was answered.</summary>
    ProtocolFailure,

    /// <summary>The peer's or the own certificate is on the revocation list.</summary>
    CertificateRevoked,

    /// <summary>The destination could not be found or is not this pod.</summary>
    BadDestination,

    /// <summary>The workload is not (yet) in the registry.</summary>
    UnknownWorkload,

    /// <summary>The service has no endpoint that may be used.</summary>
    NoHealthyUpstream,

    /// <summary>The connection would have come back to the proxy itself.</summary>
    SelfCall,

    /// <summary>The far end refused the TCP connection.</summary>
    UpstreamRefused,

    /// <summary>The far end did not answer in time.</summary>
    UpstreamTimeout,

    /// <summary>The far end cannot be reached.</summary>
    UpstreamUnreachable,

    /// <summary>The far proxy answered the CONNECT with another status than 200.</summary>
    TunnelRefused,

    /// <summary>The tunnel's connection broke while streams were open.</summary>
    TunnelLost,

    /// <summary>The peer reset the connection or stream.</summary>
    PeerReset,

    /// <summary>Cut at the end of the drain.</summary>
    Drained,

    /// <summary>One side had ended and nothing moved until the deadline.</summary>
    HalfCloseDeadline,

    /// <summary>The byte budget of the pod or the node was used up.</summary>
    OverBudget,

    /// <summary>The pod was removed.</summary>
    PodRemoved,

    /// <summary>The request's token is not valid (RequestAuthentication).</summary>
    TokenRefused,

    /// <summary>A rate limit was used up.</summary>
    RateLimited,

    /// <summary>The destination's limit of requests or connections was reached.</summary>
    UpstreamOverflow,

    /// <summary>A route injects this failure.</summary>
    FaultInjected,

    /// <summary>A fault of this program; the log has the details.</summary>
    InternalError,
}
