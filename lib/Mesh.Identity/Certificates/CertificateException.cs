namespace Mesh.Identity.Certificates;

/// <summary>Why there is no certificate.</summary>
public enum CertificateFailure
{
    /// <summary>The authority answered and said no.</summary>
    Refused,

    /// <summary>No answer: connection, TLS or deadline.</summary>
    Unreachable,

    /// <summary>An answer that is no usable chain.</summary>
    BadResponse,

    /// <summary>A certificate for somebody else.</summary>
    WrongIdentity,

    /// <summary>Nobody on this node needs the identity any more.</summary>
    Forgotten,
}

/// <summary>A certificate could not be had.</summary>
public sealed class CertificateException(CertificateFailure failure, string message, Exception? inner = null) : Exception(message, inner)
{
    public CertificateFailure Failure { get; } = failure;
}
