using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Mesh.Xds.Grpc;

/// <summary>Builds the HTTP/2 handler beneath a channel: connect timeout, TCP and HTTP/2 keepalive, TLS parameters.</summary>
internal static class GrpcTransport
{
    // TCP keepalive of the control-plane connection: 300 s idle, 75 s apart, 9 probes.
    private const int KeepAliveIdleSeconds = 300;
    private const int KeepAliveIntervalSeconds = 75;
    private const int KeepAliveProbes = 9;

    public static SocketsHttpHandler Create(GrpcChannelOptions options, GrpcServerVerifier verifier)
    {
        var handler = new SocketsHttpHandler
        {
            // Environment proxies are for people's HTTP traffic; the control plane is reached directly or not at all.
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null,
            EnableMultipleHttp2Connections = false,
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(5),
            ConnectTimeout = options.ConnectTimeout,
            InitialHttp2StreamWindowSize = 1 << 20,
            KeepAlivePingDelay = options.PingInterval,
            KeepAlivePingTimeout = options.PingTimeout,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            ConnectCallback = ConnectAsync,
        };
        var tls = handler.SslOptions;
        tls.RemoteCertificateValidationCallback = verifier.Verify;
        tls.EnabledSslProtocols = options.AllowTls12 ? SslProtocols.Tls12 | SslProtocols.Tls13 : SslProtocols.Tls13;
        if (OperatingSystem.IsLinux())
            tls.CipherSuitesPolicy = new CipherSuitesPolicy(Suites(options.AllowTls12));
        return handler;
    }

    // The suites of the mesh itself: no ChaCha20, and for 1.2 only forward-secret AES-GCM.
    private static TlsCipherSuite[] Suites(bool tls12)
    {
        TlsCipherSuite[] tls13 = [TlsCipherSuite.TLS_AES_256_GCM_SHA384, TlsCipherSuite.TLS_AES_128_GCM_SHA256];
        return !tls12
            ? tls13
            :
            [
                .. tls13,
                TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            ];
    }

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var endPoint = context.DnsEndPoint;
        var addresses = IPAddress.TryParse(endPoint.Host, out var literal)
            ? [literal]
            : await Dns.GetHostAddressesAsync(endPoint.Host, cancellation);
        Exception? last = null;
        foreach (var address in addresses)
        {
            // One family per socket: a dual-mode socket cannot even be made where IPv6 is switched off.
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, KeepAliveIdleSeconds);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, KeepAliveIntervalSeconds);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, KeepAliveProbes);
                await socket.ConnectAsync(new IPEndPoint(address, endPoint.Port), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException e)
            {
                socket.Dispose();
                last = e;
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        throw last ?? new SocketException((int)SocketError.HostNotFound);
    }
}
