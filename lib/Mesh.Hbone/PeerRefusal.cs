using Mesh.Identity.Tls;
using Mesh.Net;

namespace Mesh.Hbone;

/// <summary>What a refused peer is told: the alerts that the Rust ztunnel was recorded to send.</summary>
internal static class PeerRefusal
{
    public static TlsRefusal For(PeerVerification? verification) => verification?.Verdict switch
    {
        PeerVerdict.UnknownAuthority => TlsRefusal.UnknownAuthority,
        PeerVerdict.Expired or PeerVerdict.NotYetValid => TlsRefusal.Expired,
        PeerVerdict.WrongUsage => TlsRefusal.WrongUsage,
        PeerVerdict.Revoked => TlsRefusal.Revoked,
        PeerVerdict.NoIdentity or PeerVerdict.ForeignTrustDomain or PeerVerdict.UnexpectedIdentity => TlsRefusal.NotAllowed,
        _ => TlsRefusal.BadCertificate,
    };
}
