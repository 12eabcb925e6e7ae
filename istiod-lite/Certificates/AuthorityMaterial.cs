using System.Security.Cryptography.X509Certificates;

namespace Mesh.IstiodLite.Certificates;

/// <summary>What signs now and what is trusted now. Immutable; a change is a new one.</summary>
/// <param name="Signer">With its private key.</param>
/// <param name="IntermediatesPem">From the signer upwards to below the root, one certificate each; empty where the signer is a root.</param>
/// <param name="RootsPem">All that is trusted, in one text.</param>
internal sealed record AuthorityMaterial(X509Certificate2 Signer, IReadOnlyList<string> IntermediatesPem, string RootsPem)
{
    public static string Pem(X509Certificate2 certificate) => certificate.ExportCertificatePem() + "\n";

    public static X509Certificate2Collection Certificates(string pem)
    {
        var certificates = new X509Certificate2Collection();
        certificates.ImportFromPem(pem);
        return certificates;
    }
}
