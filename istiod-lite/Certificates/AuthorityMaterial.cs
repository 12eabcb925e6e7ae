using System.Security.Cryptography.X509Certificates;

namespace Mesh.IstiodLite.Certificates;

/// <summary>What signs now and what is trusted now. Immutable; a change is a new one.</summary>
/// <param name="Signer">With its private key.</param>
/// <param name="IntermediatesPem">From the signer upwards to below the root, one certificate each; empty where the signer is a root.</param>
/// <param name="RootsPem">All that is trusted, in one text.</param>
internal sealed record AuthorityMaterial(X509Certificate2 Signer, IReadOnlyList<string> IntermediatesPem, string RootsPem)
{
    /// <summary>So long before its end a person is told, or a fifth of its life where that is shorter: an issuer that renews by itself has done so long before.</summary>
    private static readonly TimeSpan _notice = TimeSpan.FromDays(90);
    private const double NoticeShare = 0.2;

    /// <summary>Null: neither what signs, nor what is above it, ends soon.</summary>
    public string? Ending(DateTimeOffset now)
    {
        X509Certificate2[] path = [Signer, .. IntermediatesPem.SelectMany(Certificates), .. Certificates(RootsPem).OrderByDescending(r => r.NotAfter).Take(1)];
        var first = path.MinBy(c => c.NotAfter)!;
        var (begin, end) = (first.NotBefore.ToUniversalTime(), first.NotAfter.ToUniversalTime());
        var notice = (end - begin) * NoticeShare < _notice ? (end - begin) * NoticeShare : _notice;
        return end - now.UtcDateTime < notice ? $"the certificate {first.Subject} of the mesh's authority ends on {end:u}: from then on no proxy gets a certificate, and open ones end within a day" : null;
    }

    public static string Pem(X509Certificate2 certificate) => certificate.ExportCertificatePem() + "\n";

    public static X509Certificate2Collection Certificates(string pem)
    {
        var certificates = new X509Certificate2Collection();
        certificates.ImportFromPem(pem);
        return certificates;
    }
}
