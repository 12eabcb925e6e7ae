using Mesh.Identity.Certificates;
using Mesh.Model;

namespace Mesh.Identity.Fetching;

/// <summary>One identity in the cache. Fields change under the cache's gate; the two volatile ones are read without it.</summary>
internal sealed class CertificateEntry(SpiffeId id)
{
    private volatile WorkloadCertificate? _certificate;
    private volatile CertificateException? _error;

    public SpiffeId Id { get; } = id;

    public WorkloadCertificate? Certificate { get => _certificate; set => _certificate = value; }

    /// <summary>Set while unavailable.</summary>
    public CertificateException? Error { get => _error; set => _error = value; }

    // under the gate
    public CertificatePriority Priority { get; set; }

    public bool IsFetching { get; set; }

    public bool IsForgotten { get; set; }

    /// <summary>Queue items with an older stamp are void.</summary>
    public long Stamp { get; set; }

    public RetryBackoff Backoff;

    public TaskCompletionSource<CertificateResult>? Waiters { get; set; }

    public bool TryGetUsable(DateTimeOffset now, out CertificateResult result)
    {
        if (_certificate is { } certificate && certificate.NotAfter > now)
        {
            result = CertificateResult.Of(certificate);
            return true;
        }

        result = default;
        return false;
    }
}
