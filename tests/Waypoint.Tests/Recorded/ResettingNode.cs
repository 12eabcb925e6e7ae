using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Mesh.Identity.Certificates;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>A node's proxy that answers every CONNECT with RST_STREAM(REFUSED_STREAM).</summary>
internal sealed class ResettingNode : IAsyncDisposable
{
    private const int RefusedStream = 7;

    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _end = new();

    public ResettingNode(WorkloadCertificate certificate, IPEndPoint at)
    {
        _listener = new TcpListener(at);
        _listener.Start();
        _ = AcceptAsync(certificate);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
    }

    private async Task AcceptAsync(WorkloadCertificate certificate)
    {
        try
        {
            while (true)
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_end.Token), certificate);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(TcpClient client, WorkloadCertificate certificate)
    {
        using var _ = client;
        await using var tls = new SslStream(client.GetStream());
        try
        {
            await tls.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions
                {
                    ServerCertificateContext = certificate.Context,
                    ClientCertificateRequired = true,
                    RemoteCertificateValidationCallback = (_, _, _, _) => true,
                    EnabledSslProtocols = SslProtocols.Tls13,
                    ApplicationProtocols = [SslApplicationProtocol.Http2],
                },
                _end.Token);
            using var wire = new Http2Wire(tls);
            await wire.WriteAsync(Http2Wire.Frame("SETTINGS", 0, 0, []), _end.Token);
            while (await wire.ReadAsync(_end.Token) is { } frame)
            {
                if (frame.Type == "HEADERS")
                    await wire.WriteAsync(Http2Wire.Reset(frame.StreamId, RefusedStream), _end.Token);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or AuthenticationException)
        {
            // The waypoint went, or the test is over.
        }
    }
}
