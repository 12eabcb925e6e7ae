using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Mesh.Identity.Certificates;

namespace Mesh.IstiodLite.Tests.Certificates;

/// <summary>Connections between two workloads that hold certificates of the mesh, over real sockets.</summary>
internal static class Handshakes
{
    /// <summary>Both sides accept each other, or it throws.</summary>
    public static async Task AcceptsAsync(WorkloadCertificate client, WorkloadCertificate server)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var near = new TcpClient();
        var accepting = listener.AcceptTcpClientAsync();
        await near.ConnectAsync((IPEndPoint)listener.LocalEndpoint);
        using var far = await accepting;
        await using var clientTls = new SslStream(near.GetStream());
        await using var serverTls = new SslStream(far.GetStream());
        await Task.WhenAll(
            clientTls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "peer", ClientCertificateContext = client.Context, RemoteCertificateValidationCallback = (_, peer, _, _) => Trusts(client, peer) }),
            serverTls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificateContext = server.Context, ClientCertificateRequired = true, RemoteCertificateValidationCallback = (_, peer, _, _) => Trusts(server, peer) }));
    }

    /// <summary>By its own roots alone; the clock of the test is not the machine's.</summary>
    private static bool Trusts(WorkloadCertificate own, X509Certificate? peer)
    {
        using var chain = new X509Chain { ChainPolicy = { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, VerificationFlags = X509VerificationFlags.IgnoreNotTimeValid } };
        chain.ChainPolicy.CustomTrustStore.AddRange(own.Roots);
        return chain.Build((X509Certificate2)peer!);
    }
}
