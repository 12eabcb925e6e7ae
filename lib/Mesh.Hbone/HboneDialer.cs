using System.Net;
using Mesh.Identity.Tls;
using Mesh.Http2;
using Mesh.Model;
using Mesh.Net;

namespace Mesh.Hbone;

/// <summary>A new tunnel connection, or one ending with the text for the operator.</summary>
public readonly record struct DialResult(HboneClientConnection? Connection, Ending Ending, string Error);

/// <summary>Opens tunnel connections: certificate, TCP, TLS with the identity check, HTTP/2.</summary>
/// <param name="connectOptions">How this pod's sockets are made (namespace, mark, keep-alive) for a given peer.</param>
public sealed class HboneDialer(EventLoop loop, MeshTls tls, ITunnelCertificates certificates, Func<IPEndPoint, ConnectOptions> connectOptions, HboneOptions options)
{
    private readonly HashSet<HboneClientConnection> _inside = [];

    public async ValueTask<DialResult> DialAsync(TunnelTarget target)
    {
        // (1) Nothing is sent to anybody before we can prove who we are.
        var own = await certificates.GetAsync(target.Source);
        if (own.Certificate is not { } certificate)
            return new DialResult(null, Ending.IdentityNotIssued, own.Error);

        // (2)
        var started = loop.Time.GetTimestamp();
        var tcp = await LoopConnector.ConnectAsync(loop, connectOptions(target.Address) with { Timeout = options.ConnectTimeout });
        if (tcp.Socket is not { } socket)
            return TcpFailed(target, tcp);
        var tcpTime = loop.Time.GetElapsedTime(started);

        // (3)
        var transport = new TlsTransport(socket);
        PeerVerification? peer = null;
        var handshakeStarted = loop.Time.GetTimestamp();
        var handshake = await transport.HandshakeAsClientAsync(tls.ClientOptions(certificate, target.Accepted, seen => peer = seen), options.HandshakeTimeout, () => PeerRefusal.For(peer));
        if (!handshake.IsOk)
        {
            transport.Dispose();
            return TlsFailed(target, peer, handshake);
        }

        // (4) HTTP/2 needs no answer before it may be used: the first CONNECT goes out with the preface.
        var connection = new HboneClientConnection(loop, transport, options, peer?.Identity, target.Address, socket.LocalEndPoint)
        {
            PeerChain = peer?.Chain,
            TcpTime = tcpTime,
            TlsTime = loop.Time.GetElapsedTime(handshakeStarted),
        };
        return new DialResult(connection, Ending.Ok, string.Empty);
    }

    /// <summary>Ends tunnels inside tunnels whose peer is no longer to be trusted: no pool knows them.</summary>
    /// <returns>How many there were.</returns>
    public int AbortInsideWhere(Func<HboneClientConnection, bool> condition, string reason, Ending ending)
    {
        var ended = _inside.Where(condition).ToArray();
        foreach (var connection in ended)
            connection.Abort(reason, ending);
        return ended.Length;
    }

    /// <summary>A tunnel inside a tunnel: TLS with its own identity check and one CONNECT, over <paramref name="carrier"/>, which it owns from now on. Not pooled.</summary>
    public async ValueTask<TunnelResult> OpenInsideAsync(Tunnel carrier, TunnelTarget target, HeaderList connect)
    {
        var own = await certificates.GetAsync(target.Source);
        if (own.Certificate is not { } certificate)
        {
            carrier.Reset(Http2ErrorCode.CANCEL);
            return TunnelResult.NotDialled(Ending.IdentityNotIssued, own.Error);
        }

        var transport = new TlsTransport(new TunnelTransport(carrier));
        PeerVerification? peer = null;
        var started = loop.Time.GetTimestamp();
        var handshake = await transport.HandshakeAsClientAsync(tls.ClientOptions(certificate, target.Accepted, seen => peer = seen), options.HandshakeTimeout, () => PeerRefusal.For(peer));
        if (!handshake.IsOk)
        {
            transport.Dispose();
            var failed = TlsFailed(target, peer, handshake);
            return TunnelResult.NotDialled(failed.Ending, $"inside the tunnel to the gateway: {failed.Error}");
        }

        var connection = new HboneClientConnection(loop, transport, options, peer?.Identity, target.Address, carrier.Connection.LocalEndPoint)
        {
            EndsWithItsTunnel = true,
            TlsTime = loop.Time.GetElapsedTime(started),
            PeerChain = peer?.Chain,
            ConnectionClosed = (closed, _) => _inside.Remove(closed),
        };
        _inside.Add(connection);
        connection.Start();
        return await connection.ConnectAsync(connect, reused: false);
    }

    private static DialResult TcpFailed(TunnelTarget target, ConnectResult tcp) => tcp.Failure switch
    {
        ConnectFailure.Refused => new DialResult(null, Ending.UpstreamRefused, $"connection to {target.Address} refused: nothing listens on the HBONE port there"),
        ConnectFailure.TimedOut => new DialResult(null, Ending.UpstreamTimeout,
            $"connection to {target.Address} timed out, maybe a NetworkPolicy is blocking HBONE port {target.Address.Port}: {tcp.Detail}"),
        ConnectFailure.Unreachable => new DialResult(null, Ending.UpstreamUnreachable, $"connection to {target.Address} failed: {tcp.Detail}"),
        _ => new DialResult(null, Ending.InternalError, $"connection to {target.Address} could not be tried: {tcp.Detail}"),
    };

    private static DialResult TlsFailed(TunnelTarget target, PeerVerification? peer, TlsHandshakeResult handshake)
    {
        if (peer is { IsTrusted: false } refused)
            return new DialResult(null, refused.Ending, $"tls handshake with {target.Address} refused here: identity verification error: {refused}");
        return new DialResult(null, Ending.TlsFailure, $"tls handshake with {target.Address} failed: {handshake.Text}");
    }
}
