using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Model;

namespace Mesh.Identity.Certificates;

/// <summary>A signing request as an authority reads it: its own signature has been checked.</summary>
public sealed class ReadCsr
{
    private ReadCsr(PublicKey key, IReadOnlyList<SpiffeId> identities)
    {
        PublicKey = key;
        Identities = identities;
    }

    public PublicKey PublicKey { get; }

    /// <summary>The SPIFFE ids that the request asks for.</summary>
    public IReadOnlyList<SpiffeId> Identities { get; }

    /// <summary>False, with the reason, for what is no request or is not signed with its own key.</summary>
    public static bool TryRead(string pem, [NotNullWhen(true)] out ReadCsr? csr, [NotNullWhen(false)] out string? reason)
    {
        try
        {
            var request = CertificateRequest.LoadSigningRequestPem(
                pem, HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions);
            var names = request.CertificateExtensions.FirstOrDefault(e => e.Oid?.Value == SubjectAlternativeNames.Oid);
            csr = new(request.PublicKey, names is null ? [] : SubjectAlternativeNames.Identities(names.RawData));
            reason = null;
            return true;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            csr = null;
            reason = $"not a certificate signing request: {e.Message}";
            return false;
        }
    }
}
