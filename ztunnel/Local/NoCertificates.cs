using Mesh.Hbone;
using Mesh.Model;

namespace Mesh.Ztunnel.Local;

/// <summary>No authority is configured: tunnels cannot be made or taken, plaintext goes on.</summary>
internal sealed class NoCertificates : ITunnelCertificates
{
    public ValueTask<CertificateAnswer> GetAsync(SpiffeId identity) => new(new CertificateAnswer(null, $"identity_not_issued: no certificate for {identity}: CA_ADDRESS is empty"));
}
