namespace Mesh.Net;

/// <summary>What a peer whose certificate is refused is told, as an alert of RFC 8446 6.2. The numbers are OpenSSL's reasons (X509_V_ERR_*), from which it makes the alert.</summary>
public enum TlsRefusal
{
    /// <summary>bad_certificate: damaged or wrongly signed.</summary>
    BadCertificate = 28,

    /// <summary>unknown_ca: not issued by an authority that is trusted here.</summary>
    UnknownAuthority = 20,

    /// <summary>certificate_expired: outside its time of validity.</summary>
    Expired = 10,

    /// <summary>certificate_revoked.</summary>
    Revoked = 23,

    /// <summary>unsupported_certificate: not meant for this side of TLS.</summary>
    WrongUsage = 26,

    /// <summary>certificate_unknown: valid, but of somebody who is not allowed here.</summary>
    NotAllowed = 44,
}
