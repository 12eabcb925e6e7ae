using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Model;

namespace Mesh.Identity.Certificates;

/// <summary>A certificate signing request with the key it was made for. The key stays in memory only.</summary>
public sealed class CertificateSigningRequest : IDisposable
{
    internal CertificateSigningRequest(ECDsa key, string pem)
    {
        Key = key;
        Pem = pem;
    }

    public string Pem { get; }

    internal ECDsa Key { get; }

    public void Dispose() => Key.Dispose();

    public override string ToString() => "certificate signing request (key withheld)";
}

/// <summary>Requests as Istio's authorities expect them: P-256 with SHA-256, empty subject, one critical SAN that is the SPIFFE id, nothing else.</summary>
public static class CsrBuilder
{
    public static CertificateSigningRequest Create(SpiffeId id)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(new X500DistinguishedName(""), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(SubjectAlternativeNames.ForIdentity(id));
        return new(key, request.CreateSigningRequestPem());
    }
}
