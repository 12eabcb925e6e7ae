using System.Net;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Net;

namespace Mesh.Hbone;

/// <summary>What the owner of an <see cref="HboneAcceptor"/> decides and hears, on the acceptor's loop.</summary>
public interface ITunnelAcceptor
{
    /// <summary>The certificate to show on a connection that was just accepted; a failure closes it with that ending.</summary>
    ValueTask<CertificateAnswer> GetCertificateAsync();

    /// <summary>A CONNECT arrived. The verdict may come later.</summary>
    void OnTunnel(TunnelRequest request);

    /// <summary>A connection ended before it could carry a tunnel: no certificate, or the TLS handshake failed.</summary>
    void OnHandshakeFailed(IPEndPoint remote, IPEndPoint local, Ending ending, string error);

    /// <summary>An accepted socket is closed again, whatever became of it. Once for each.</summary>
    void OnSocketClosed()
    {
    }
}

/// <summary>Turns accepted sockets into tunnel connections: certificate, TLS, HTTP/2.</summary>
public sealed class HboneAcceptor(EventLoop loop, MeshTls tls, ITunnelAcceptor owner, HboneOptions options) : IDisposable
{
    private readonly HashSet<HboneServerConnection> _connections = [];
    private readonly HashSet<TlsTransport> _handshaking = [];
    private bool _draining;

    /// <summary>Standing connections, for metrics, drain and tests.</summary>
    public IReadOnlyCollection<HboneServerConnection> Connections => _connections;

    /// <summary>Takes ownership of the socket. On the loop.</summary>
    public void Accept(LoopSocket socket)
    {
        if (_draining)
        {
            socket.Dispose();
            owner.OnSocketClosed();
            return;
        }

        loop.Spawn(() => HandshakeAsync(socket));
    }

    /// <summary>Running tunnels finish; see <see cref="HboneConnection.Drain"/>.</summary>
    public void Drain()
    {
        _draining = true;
        foreach (var connection in _connections.ToArray())
            connection.Drain();
    }

    /// <summary>Ends every connection at once; open tunnels are reset.</summary>
    public void AbortAll(string reason) => AbortWhere(_ => true, reason);

    public int AbortWhere(Func<HboneServerConnection, bool> condition, string reason, Ending ending = Ending.TunnelLost)
    {
        var ended = _connections.Where(condition).ToArray();
        foreach (var connection in ended)
            connection.Abort(reason, ending);
        return ended.Length;
    }

    public void Dispose()
    {
        _draining = true;
        foreach (var transport in _handshaking.ToArray())
            transport.Abort();
        AbortAll("the listener was closed");
    }

    private async Task HandshakeAsync(LoopSocket socket)
    {
        var remote = socket.RemoteEndPoint;
        var local = socket.LocalEndPoint;
        var certificate = await owner.GetCertificateAsync();
        if (certificate.Certificate is not { } own)
        {
            socket.Dispose();
            owner.OnSocketClosed();
            owner.OnHandshakeFailed(remote, local, Ending.IdentityNotIssued, certificate.Error);
            return;
        }

        var transport = new TlsTransport(socket);
        _handshaking.Add(transport);
        PeerVerification? peer = null;
        var result = await transport.HandshakeAsServerAsync(tls.ServerOptions(own, seen => peer = seen), options.HandshakeTimeout, () => PeerRefusal.For(peer));
        _handshaking.Remove(transport);
        if (!result.IsOk || _draining)
        {
            transport.Dispose();
            owner.OnSocketClosed();
            if (!result.IsOk)
                Refused(remote, local, peer, result);
            return;
        }

        var connection = new HboneServerConnection(loop, transport, options, peer?.Identity, remote, local, owner.OnTunnel, Closed)
        {
            PeerChain = peer?.Chain,
        };
        _connections.Add(connection);
        connection.Start();
    }

    private void Closed(HboneServerConnection connection)
    {
        _connections.Remove(connection);
        owner.OnSocketClosed();
    }

    private void Refused(IPEndPoint remote, IPEndPoint local, PeerVerification? peer, TlsHandshakeResult result)
    {
        if (peer is { IsTrusted: false } refused)
            owner.OnHandshakeFailed(remote, local, refused.Ending, $"tls handshake refused: {refused}");
        else
            owner.OnHandshakeFailed(remote, local, Ending.TlsFailure, $"tls handshake failed: {result.Text}");
    }
}
