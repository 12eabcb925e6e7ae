using Mesh.Hbone;
using Mesh.Identity.Fetching;
using Mesh.Model;

namespace Mesh.Ztunnel.Local;

/// <summary>Own certificates for handshakes: at once when cached, otherwise a bounded wait that ends with the authority's last word.</summary>
internal sealed class PodCertificates(CertificateCache cache, TimeSpan deadline, TimeProvider time) : ITunnelCertificates
{
    public ValueTask<CertificateAnswer> GetAsync(SpiffeId identity)
    {
        var pending = cache.GetAsync(identity, CertificatePriority.RealTime);
        return pending.IsCompletedSuccessfully
            ? new ValueTask<CertificateAnswer>(Answer(identity, pending.Result))
            : new ValueTask<CertificateAnswer>(WaitAsync(identity, pending.AsTask()));
    }

    private async Task<CertificateAnswer> WaitAsync(SpiffeId identity, Task<CertificateResult> pending)
    {
        try
        {
            return Answer(identity, await pending.WaitAsync(deadline, time));
        }
        catch (TimeoutException)
        {
            return new CertificateAnswer(null, $"identity_not_issued: no certificate for {identity} within {deadline.TotalSeconds:0} s, the authority has not answered");
        }
    }

    private static CertificateAnswer Answer(SpiffeId identity, in CertificateResult result) => result.IsAvailable
        ? new CertificateAnswer(result.Certificate, string.Empty)
        : new CertificateAnswer(null, $"identity_not_issued: no certificate for {identity}: {result.Error}");
}
