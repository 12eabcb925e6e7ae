using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace Mesh.Kubernetes.Connection;

/// <summary>The HTTP handler of one API server: HTTP/2 where TLS negotiates it, keep-alives on both levels, trust that follows its file.</summary>
internal static class ApiConnection
{
    /// <summary>A peer that is gone without a word is noticed by either within this and half.</summary>
    private static readonly TimeSpan _keepAlive = TimeSpan.FromSeconds(20);

    public static SocketsHttpHandler Create(ClusterConfiguration cluster)
    {
        var handler = new SocketsHttpHandler
        {
            // Large lists shrink to a twentieth; watches are never compressed.
            AutomaticDecompression = System.Net.DecompressionMethods.GZip,
            // An API server allows 100 streams per connection; watches hold theirs for minutes.
            EnableMultipleHttp2Connections = true,
            ConnectTimeout = TimeSpan.FromSeconds(10),
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
            // New connections meet rotated certificates, and other servers behind a balancer.
            PooledConnectionLifetime = TimeSpan.FromMinutes(30),
            KeepAlivePingDelay = _keepAlive,
            KeepAlivePingTimeout = _keepAlive / 2,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            UseCookies = false,
            AllowAutoRedirect = false,
            ActivityHeadersPropagator = null,
            ConnectCallback = ConnectAsync,
        };
        if (cluster.Proxy is not null)
            handler.Proxy = new System.Net.WebProxy(cluster.Proxy);
        else
            handler.UseProxy = false;
        handler.SslOptions = new SslClientAuthenticationOptions
        {
            TargetHost = cluster.TlsServerName,
            LocalCertificateSelectionCallback = (_, _, _, _, _) => cluster.Credentials.Certificate!,
            RemoteCertificateValidationCallback = (_, certificate, chain, errors) => IsTrusted(cluster, certificate, chain, errors),
        };
        return handler;
    }

    private static bool IsTrusted(ClusterConfiguration cluster, X509Certificate? certificate, X509Chain? presented, SslPolicyErrors errors)
    {
        if (cluster.SkipVerification)
            return true;
        if (cluster.Roots is not { } roots)
            return errors is SslPolicyErrors.None;
        if (certificate is null || (errors & (SslPolicyErrors.RemoteCertificateNameMismatch | SslPolicyErrors.RemoteCertificateNotAvailable)) != 0)
            return false;
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(roots.Current);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        if (presented is not null)
            chain.ChainPolicy.ExtraStore.AddRange(presented.ChainElements.Select(e => e.Certificate).ToArray());
        using var leaf = X509CertificateLoader.LoadCertificate(certificate.GetRawCertData());
        return chain.Build(leaf);
    }

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, (int)_keepAlive.TotalSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 5);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
            await socket.ConnectAsync(context.DnsEndPoint, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
