using System.Security.Cryptography.X509Certificates;
using Mesh.Model;

namespace Mesh.Identity.Tls;

/// <summary>What the check of a peer's certificate found.</summary>
public enum PeerVerdict
{
    Trusted,
    NoCertificate,

    /// <summary>No chain to a root that is trusted here.</summary>
    UnknownAuthority,
    Expired,
    NotYetValid,

    /// <summary>Not meant for this side of TLS.</summary>
    WrongUsage,
    Revoked,

    /// <summary>No SPIFFE id in it.</summary>
    NoIdentity,

    /// <summary>Of another trust domain than the own certificate.</summary>
    ForeignTrustDomain,

    /// <summary>Somebody, but none of those allowed at that address.</summary>
    UnexpectedIdentity,

    /// <summary>Damaged, wrongly signed or against its own constraints.</summary>
    Invalid,
}

/// <summary>The verdict, who the peer is (as far as that could be read) and words for people.</summary>
public readonly record struct PeerVerification(PeerVerdict Verdict, SpiffeId? Identity, string? Detail)
{
    public bool IsTrusted => Verdict == PeerVerdict.Trusted;

    /// <summary>The certificates that made it trusted, leaf first, root last. Only where revocation lists are in use.</summary>
    public IReadOnlyList<X509Certificate2>? Chain { get; init; }

    public Ending Ending => Verdict switch
    {
        PeerVerdict.Trusted => Ending.Ok,
        PeerVerdict.Revoked => Ending.CertificateRevoked,
        PeerVerdict.ForeignTrustDomain or PeerVerdict.UnexpectedIdentity or PeerVerdict.NoIdentity => Ending.PeerIdentityMismatch,
        _ => Ending.TlsFailure,
    };

    public override string ToString() => Detail is null ? PeerVerdictText.Name(Verdict) : $"{PeerVerdictText.Name(Verdict)}: {Detail}";
}

/// <summary>snake_case names of verdicts, stable for machines.</summary>
public static class PeerVerdictText
{
    public static string Name(PeerVerdict verdict) => verdict switch
    {
        PeerVerdict.Trusted => "trusted",
        PeerVerdict.NoCertificate => "no_certificate",
        PeerVerdict.UnknownAuthority => "unknown_authority",
        PeerVerdict.Expired => "expired",
        PeerVerdict.NotYetValid => "not_yet_valid",
        PeerVerdict.WrongUsage => "wrong_usage",
        PeerVerdict.Revoked => "revoked",
        PeerVerdict.NoIdentity => "no_identity",
        PeerVerdict.ForeignTrustDomain => "foreign_trust_domain",
        PeerVerdict.UnexpectedIdentity => "unexpected_identity",
        PeerVerdict.Invalid => "invalid",
        _ => throw new ArgumentOutOfRangeException(nameof(verdict), verdict, "not a member of the closed set of verdicts"),
    };
}

/// <summary>Tells whether a certificate was taken back.</summary>
public interface IRevocationCheck
{
    /// <summary>Grows with every new list, so that remembered verdicts are not used beyond it.</summary>
    long Generation { get; }

    /// <summary>Asked for every certificate of the chain but the root, with its issuer. Unknown means not revoked.</summary>
    bool IsRevoked(X509Certificate2 certificate, X509Certificate2 issuer);
}
