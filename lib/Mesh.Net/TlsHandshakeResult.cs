namespace Mesh.Net;

/// <summary>Why a TLS handshake failed, as far as this end can know.</summary>
public enum TlsFailure
{
    /// <summary>It did not fail.</summary>
    None,

    /// <summary>The peer's certificate was refused here (identity, validity, usage).</summary>
    BadCertificate,

    /// <summary>The peer's certificate does not lead to a root that is trusted here.</summary>
    UnknownAuthority,

    /// <summary>The peer showed no certificate although one is required.</summary>
    NoCertificate,

    /// <summary>No common version, cipher suite, group or application protocol.</summary>
    ProtocolVersion,

    /// <summary>Not finished before the deadline.</summary>
    Timeout,

    /// <summary>The peer ended or reset the connection during the handshake.</summary>
    PeerClosed,

    /// <summary>The peer refused with a TLS alert: it does not like us. The text names the alert.</summary>
    PeerAlert,

    /// <summary>Something else, e.g. the peer does not speak TLS; the text has the details.</summary>
    Other,
}

/// <summary>Outcome of a handshake.</summary>
/// <param name="Failure"><see cref="TlsFailure.None"/> when it succeeded.</param>
/// <param name="Text">For people; null when it succeeded.</param>
public readonly record struct TlsHandshakeResult(TlsFailure Failure, string? Text)
{
    /// <summary>The handshake succeeded.</summary>
    public static TlsHandshakeResult Ok => default;

    /// <summary>Whether the transport may be used.</summary>
    public bool IsOk => Failure == TlsFailure.None;
}
