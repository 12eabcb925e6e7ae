using System.Security.Cryptography.X509Certificates;
using Mesh.Identity.Certificates;
using Mesh.Model;

namespace Mesh.Identity.Tls;

/// <summary>Checks the peer of a handshake: chain to the own roots, validity, usage, revocation, then identity.</summary>
/// <remarks>Any thread. What only depends on the certificates is remembered by <see cref="ChainMemory"/>; who is allowed is asked each time.</remarks>
public sealed class PeerVerifier(TimeProvider time, IRevocationCheck? revocation = null)
{
    private readonly ChainMemory _memory = new(time, revocation);

    /// <summary>Server side: any client of the own trust domain. The comparison is exact; there are no aliases.</summary>
    public PeerVerification VerifyClient(X509Certificate2? leaf, X509Certificate2Collection? sent, WorkloadCertificate own)
    {
        var chain = _memory.Check(leaf, sent, own, CertificateIssuer.ClientAuth);
        if (chain.Verdict != PeerVerdict.Trusted)
            return new(chain.Verdict, chain.FirstIdentity, chain.Detail);
        foreach (var id in chain.Identities)
        {
            if (id.TrustDomain == own.Identity.TrustDomain)
                return new(PeerVerdict.Trusted, id, null) { Chain = chain.Chain };
        }

        return chain.Identities.Count == 0
            ? new(PeerVerdict.NoIdentity, null, "the client's certificate has no SPIFFE id; it must be issued by the mesh's authority")
            : new(PeerVerdict.ForeignTrustDomain, chain.FirstIdentity, $"the client is {chain.FirstIdentity}, but only trust domain \"{own.Identity.TrustDomain}\" is accepted here");
    }

    /// <summary>Client side: one of the identities that the control plane allows at that address. An empty list accepts nobody.</summary>
    public PeerVerification VerifyServer(X509Certificate2? leaf, X509Certificate2Collection? sent, WorkloadCertificate own, IReadOnlyList<SpiffeId> accepted)
    {
        var chain = _memory.Check(leaf, sent, own, CertificateIssuer.ServerAuth);
        if (chain.Verdict != PeerVerdict.Trusted)
            return new(chain.Verdict, chain.FirstIdentity, chain.Detail);
        foreach (var id in chain.Identities)
        {
            for (var i = 0; i < accepted.Count; i++)
            {
                if (accepted[i] == id)
                    return new(PeerVerdict.Trusted, id, null) { Chain = chain.Chain };
            }
        }

        return chain.Identities.Count == 0
            ? new(PeerVerdict.NoIdentity, null, "the server's certificate has no SPIFFE id; it must be issued by the mesh's authority")
            : new(PeerVerdict.UnexpectedIdentity, chain.FirstIdentity, $"the server is {string.Join(", ", chain.Identities)}, expected {string.Join(" or ", accepted)}");
    }
}
