using Mesh.Identity.Certificates;
using Mesh.Model;

namespace Mesh.Identity.Fetching;

/// <summary>A certificate authority that signs requests.</summary>
public interface ICaClient
{
    /// <summary>The chain as PEM: leaf first, roots last.</summary>
    /// <exception cref="CertificateException">It refused or did not answer.</exception>
    Task<IReadOnlyList<string>> IssueAsync(SpiffeId id, string csrPem, TimeSpan ttl, CancellationToken cancellation);
}

/// <summary>Where <see cref="CertificateCache"/> gets certificates from.</summary>
public interface ICertificateSource
{
    /// <exception cref="CertificateException">There is none to be had now.</exception>
    Task<WorkloadCertificate> FetchAsync(SpiffeId id, CancellationToken cancellation);
}

/// <summary>A fresh key and request for every fetch: a renewed certificate never shares a key with the one before.</summary>
public sealed class CaCertificateSource(ICaClient client, TimeSpan ttl) : ICertificateSource
{
    public async Task<WorkloadCertificate> FetchAsync(SpiffeId id, CancellationToken cancellation)
    {
        using var request = CsrBuilder.Create(id);
        var chain = await client.IssueAsync(id, request.Pem, ttl, cancellation);
        return WorkloadCertificate.FromChain(id, request, chain);
    }
}
