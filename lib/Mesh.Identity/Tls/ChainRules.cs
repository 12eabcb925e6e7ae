using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Mesh.Identity.Tls;

/// <summary>How chains are built and what their status means.</summary>
internal static class ChainRules
{
    /// <summary>Only the given roots, nothing fetched, revocation by our own lists.</summary>
    public static X509ChainPolicy Policy(X509Certificate2Collection roots, string usage, TimeProvider time)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
            VerificationTime = time.GetUtcNow().UtcDateTime,
            VerificationTimeIgnored = false,
        };
        policy.CustomTrustStore.AddRange(roots);
        policy.ApplicationPolicy.Add(new Oid(usage));
        return policy;
    }

    /// <summary>
    /// For the TLS layer, which leaves the whole check to our callback. Its roots are what a server names to clients as acceptable authorities
    /// (RFC 8446 4.2.4); nothing is decided by them there.
    /// </summary>
    public static X509ChainPolicy ForTlsStack(X509Certificate2Collection roots)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
            VerificationFlags = X509VerificationFlags.AllFlags,
        };
        policy.CustomTrustStore.AddRange(roots);
        return policy;
    }

    /// <summary>Null when the chain is good; otherwise the most telling of its faults.</summary>
    public static (PeerVerdict Verdict, string Detail)? Judge(X509Chain chain, bool complete, X509Certificate2 leaf, DateTimeOffset now)
    {
        if (complete)
            return null;
        var status = X509ChainStatusFlags.NoError;
        foreach (var part in chain.ChainStatus)
            status |= part.Status;

        // A stranger's certificate may have other faults too, but that it is a stranger's comes first.
        if ((status & (X509ChainStatusFlags.PartialChain | X509ChainStatusFlags.UntrustedRoot)) != 0)
            return (PeerVerdict.UnknownAuthority, $"issued by \"{leaf.Issuer}\", which is none of the mesh's authorities");
        if ((status & (X509ChainStatusFlags.NotTimeValid | X509ChainStatusFlags.NotTimeNested)) != 0)
            return Validity(chain, now);
        if ((status & X509ChainStatusFlags.NotValidForUsage) != 0)
            return (PeerVerdict.WrongUsage, "the certificate is not meant for this side of TLS (extended key usage)");
        return (PeerVerdict.Invalid, $"the chain is not valid: {status}");
    }

    private static (PeerVerdict Verdict, string Detail) Validity(X509Chain chain, DateTimeOffset now)
    {
        foreach (var element in chain.ChainElements)
        {
            var certificate = element.Certificate;
            if (certificate.NotBefore.ToUniversalTime() > now.UtcDateTime)
                return (PeerVerdict.NotYetValid, $"not valid before {certificate.NotBefore.ToUniversalTime():u}: compare the clocks of both nodes");
            if (certificate.NotAfter.ToUniversalTime() < now.UtcDateTime)
                return (PeerVerdict.Expired, $"expired on {certificate.NotAfter.ToUniversalTime():u}");
        }

        return (PeerVerdict.Expired, "a certificate of the chain is outside its time of validity");
    }
}
