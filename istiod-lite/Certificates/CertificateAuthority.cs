using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Mesh.Identity.Certificates;
using Mesh.Model;

namespace Mesh.IstiodLite.Certificates;

/// <summary>How long certificates live.</summary>
internal sealed record CertificateLifetimes
{
    /// <summary>Where a request names no duration (Istio: DEFAULT_WORKLOAD_CERT_TTL).</summary>
    public TimeSpan Default { get; init; } = TimeSpan.FromHours(24);
    /// <summary>Requests for more are refused (Istio: MAX_WORKLOAD_CERT_TTL).</summary>
    public TimeSpan Maximum { get; init; } = TimeSpan.FromDays(90);
    /// <summary>Of a root that is made here (Istio: CITADEL_SELF_SIGNED_CA_CERT_TTL).</summary>
    public TimeSpan Root { get; init; } = TimeSpan.FromDays(3650);
    /// <summary>Of the control plane's own server certificate; it is renewed at half of it.</summary>
    public TimeSpan Server { get; init; } = TimeSpan.FromHours(24);
    /// <summary>How long each step of a root's replacement waits for the workloads to follow: at least the longest life that they ask for.</summary>
    public TimeSpan RootOverlap { get; init; } = TimeSpan.FromHours(24);
}

/// <summary>Signs with what it is given; where that comes from is its owner's business. Decides nothing. Any thread.</summary>
internal sealed class CertificateAuthority(AuthorityMaterial material, CertificateLifetimes lifetimes, TimeProvider time)
{
    public static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(2);

    private volatile AuthorityMaterial _material = material;

    /// <summary>The material is another one; called from the thread that brought it.</summary>
    public event Action? Changed;

    /// <summary>Everything that is trusted, in one text.</summary>
    public string RootPem => _material.RootsPem;

    /// <summary>The end of what signs now.</summary>
    public DateTimeOffset NotAfter => new(_material.Signer.NotAfter.ToUniversalTime());

    /// <summary>Signatures from now on are made with this. The one before is not disposed: a signature may be under way, and the finalizer frees it.</summary>
    public void Replace(AuthorityMaterial next)
    {
        _material = next;
        Changed?.Invoke();
    }

    /// <summary>Leaf first, root last, one certificate per element: clients rely on this layout. Null: the duration is above the limit.</summary>
    public IReadOnlyList<string>? Sign(ReadCsr request, SpiffeId identity, TimeSpan requested)
    {
        var ttl = requested <= TimeSpan.Zero ? lifetimes.Default : requested;
        if (ttl > lifetimes.Maximum)
            return null;
        var now = _material;
        using var leaf = CertificateIssuer.SignWorkload(now.Signer, request, identity, Options(ttl));
        return [AuthorityMaterial.Pem(leaf), .. now.IntermediatesPem, now.RootsPem];
    }

    /// <summary>A server certificate and what it is presented with.</summary>
    public (X509Certificate2 Certificate, SslStreamCertificateContext Context) IssueServer(IReadOnlyList<string> names, IReadOnlyList<IPAddress> addresses)
    {
        var now = _material;
        var certificate = CertificateIssuer.IssueServer(now.Signer, names, addresses, Options(lifetimes.Server));
        return (certificate, SslStreamCertificateContext.Create(certificate, [.. now.IntermediatesPem.SelectMany(AuthorityMaterial.Certificates)], offline: true));
    }

    /// <summary>
    /// Set back for clocks that are behind. Clients renew at half of the whole validity, so a short life must not be set back by more than a part
    /// of itself, or its half would be in the past from the start.
    /// </summary>
    private IssueOptions Options(TimeSpan ttl) => IssueOptions.For(ttl, ttl >= TimeSpan.FromHours(1) ? ClockSkew : ttl / 20, time);
}
