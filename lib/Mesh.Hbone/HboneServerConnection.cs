using System.Net;
using Mesh.Http2;
using Mesh.Model;
using Mesh.Net;

namespace Mesh.Hbone;

/// <summary>The server side of a tunnel connection: each CONNECT becomes a <see cref="TunnelRequest"/>.</summary>
public sealed class HboneServerConnection : HboneConnection
{
    private readonly Action<TunnelRequest> _onTunnel;
    private readonly Action<HboneServerConnection> _onClosed;
    private readonly long _acceptedAt;
    private readonly TimeSpan _maxAge;
    private bool _isTooOld;

    internal HboneServerConnection(EventLoop loop, ITransport transport, HboneOptions options, SpiffeId? peer, IPEndPoint remote, IPEndPoint local,
        Action<TunnelRequest> onTunnel, Action<HboneServerConnection> onClosed)
        : base(loop, transport, Http2Role.Server, options, peer, remote, local)
    {
        _onTunnel = onTunnel;
        _onClosed = onClosed;
        _acceptedAt = loop.Now;

        // Connections that came together must not leave together.
        _maxAge = options.MaxConnectionAge * (1 - (Random.Shared.NextDouble() / 10));
    }

    internal override void Tick(long now)
    {
        base.Tick(now);
        if (_isTooOld || IsClosed || _maxAge <= TimeSpan.Zero || Loop.Time.GetElapsedTime(_acceptedAt, now) < _maxAge)
            return;
        _isTooOld = true;
        Drain();
        Flush();
    }

    private protected override void OnHeaders(Http2Stream stream, HeaderList headers, bool endStream)
    {
        if (stream.UserState is not null)
            return; // trailers carry nothing in a tunnel
        var request = new TunnelRequest(this, stream, headers, endStream);
        stream.UserState = request;
        _onTunnel(request);
    }

    private protected override void DataWithoutTunnel(Http2Stream stream, ReadOnlySpan<byte> data)
    {
        if (stream.UserState is TunnelRequest request)
            request.Received(data);
        else
            stream.Consume(data.Length);
    }

    private protected override void OnStreamEnded(Http2Stream stream) => (stream.UserState as TunnelRequest)?.PeerEnded();

    private protected override void OnStreamFailed(Http2Stream stream, Http2ErrorCode? code, bool byPeer) => (stream.UserState as TunnelRequest)?.Abort();

    private protected override void OnConnectionClosed(string reason) => _onClosed(this);
}
