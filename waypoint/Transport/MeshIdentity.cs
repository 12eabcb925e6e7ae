using Mesh.Hbone;
using Mesh.Identity.Fetching;
using Mesh.Identity.Tls;
using Mesh.Model;

namespace Mesh.Waypoint.Transport;

/// <summary>The waypoint's own identity towards both sides: one certificate, waited for at most this long when it is not there yet.</summary>
internal sealed class MeshIdentity(SpiffeId own, CertificateCache certificates, MeshTls tls, TimeProvider time) : ITunnelCertificates
{
    /// <summary>A client's own timeouts are of this order; longer waiting only fills queues.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public SpiffeId Own => own;

    public MeshTls Tls => tls;

    public async ValueTask<CertificateAnswer> GetAsync(SpiffeId identity)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        try
        {
            var result = await certificates.GetAsync(identity, CertificatePriority.RealTime, patience.Token);
            return new CertificateAnswer(result.Certificate, result.Error ?? string.Empty);
        }
        catch (OperationCanceledException)
        {
            return new CertificateAnswer(null, $"no certificate for {identity} within {Patience.TotalSeconds:0} s");
        }
    }
}
