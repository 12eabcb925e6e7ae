using Mesh.Identity.Certificates;
using Mesh.Model;

namespace Mesh.Hbone;

/// <summary>The own certificate for a handshake, or why there is none (then the text is for the operator).</summary>
public readonly record struct CertificateAnswer(WorkloadCertificate? Certificate, string Error);

/// <summary>Where tunnels get own certificates from: completes at once when it is cached, waits for the first issue with a deadline otherwise.</summary>
public interface ITunnelCertificates
{
    ValueTask<CertificateAnswer> GetAsync(SpiffeId identity);
}
