using System.Net;
using System.Security.Cryptography.X509Certificates;
using Mesh.Http2;
using Mesh.Model;
using Mesh.Net;

namespace Mesh.Hbone;

/// <summary>One HTTP/2 connection that carries tunnels: transport, engine and the flush that joins them.</summary>
/// <remarks>
/// Lives and dies on <see cref="Loop"/>. Bytes in: transport -> engine -> tunnels, in one call chain. Bytes out: everything that an iteration
/// of the loop wrote to any stream leaves in one <see cref="Flush"/>, so small writes of many streams share a TLS record and a send.
/// </remarks>
public abstract class HboneConnection : IHttp2Handler, ITransportHandler, IFlushable
{
    private readonly ITransport _transport;
    private readonly HboneOptions _options;
    private long _lastReceived;
    private long _pingSent;
    private bool _closing;
    private bool _closeRequested;

    private protected HboneConnection(EventLoop loop, ITransport transport, Http2Role role, HboneOptions options, SpiffeId? peer, IPEndPoint remote, IPEndPoint local)
    {
        Loop = loop;
        _transport = transport;
        _options = options;
        PeerIdentity = peer;
        RemoteEndPoint = remote;
        LocalEndPoint = local;
        _lastReceived = loop.Now;
        Engine = new Http2Connection(role, role == Http2Role.Client ? options.Client : options.Server, this, loop.Buffers);
    }

    public EventLoop Loop { get; }

    /// <summary>Who the peer proved to be in the TLS handshake.</summary>
    public SpiffeId? PeerIdentity { get; }

    public IPEndPoint RemoteEndPoint { get; }

    public IPEndPoint LocalEndPoint { get; }

    /// <summary>The certificates behind <see cref="PeerIdentity"/>, leaf first, root last; kept only where revocation lists are in use.</summary>
    public IReadOnlyList<X509Certificate2>? PeerChain { get; init; }

    /// <summary>How its tunnels end when the connection is gone.</summary>
    public Ending LossEnding { get; private set; } = Ending.TunnelLost;

    /// <summary>No byte can move any more.</summary>
    public bool IsClosed { get; private set; }

    public bool IsQueued { get; set; }

    public int ActiveStreams => Engine.ActiveStreams;

    private protected Http2Connection Engine { get; }

    /// <summary>Sends preface and SETTINGS and begins to receive.</summary>
    public void Start()
    {
        Engine.Start();
        HboneHousekeeping.Of(Loop).Add(this);
        _transport.Start(this);
        Flush();
    }

    /// <summary>Running tunnels finish, new ones are refused; the connection closes after the last.</summary>
    public void Drain()
    {
        if (IsClosed)
            return;
        Engine.BeginGracefulShutdown();
        if (Engine.Role == Http2Role.Client && Engine.ActiveStreams == 0)
            Closed("drained", afterFlush: true); // nobody else opens streams here; a server waits for the CONNECT that may be under way
    }

    /// <summary>Ends the connection at once; open tunnels are reset.</summary>
    public void Abort(string reason, Ending ending = Ending.TunnelLost)
    {
        if (IsClosed)
            return;
        LossEnding = ending;
        Engine.GoAway(Http2ErrorCode.NO_ERROR);
        Closed(reason, afterFlush: true);
    }

    public void Flush()
    {
        if (IsClosed && !_closing)
            return;
        while (Engine.Output.Length > 0 && !_transport.IsCongested)
        {
            var pending = Engine.Output.Pending;
            _transport.Write(pending);
            Engine.Output.Advance(pending.Length);
        }
    }

    /// <summary>About once a second: abuse budgets, PING on silence, dead peers, idle time.</summary>
    internal virtual void Tick(long now)
    {
        if (IsClosed)
            return;
        Engine.Tick();
        var time = Loop.Time;
        if (_pingSent != 0 && time.GetElapsedTime(_pingSent, now) >= _options.PingTimeout)
        {
            Abort($"no answer to PING for {_options.PingTimeout.TotalSeconds:0} s");
            return;
        }

        if (_pingSent == 0 && time.GetElapsedTime(_lastReceived, now) >= _options.PingAfterSilence)
        {
            _pingSent = now;
            Engine.SendPing((ulong)now);
        }
    }

    /// <summary>Called once when the connection is over, after its tunnels were told.</summary>
    private protected abstract void OnConnectionClosed(string reason);

    private protected abstract void OnHeaders(Http2Stream stream, HeaderList headers, bool endStream);

    private protected virtual void OnStreamEnded(Http2Stream stream)
    {
    }

    private protected virtual void OnStreamFailed(Http2Stream stream, Http2ErrorCode? code, bool byPeer)
    {
    }

    private protected virtual void OnDraining()
    {
    }

    void ITransportHandler.OnReceived(ReadOnlySpan<byte> data)
    {
        _lastReceived = Loop.Now;
        _pingSent = 0;
        Engine.Receive(data);
    }

    void ITransportHandler.OnDrained() => Flush();

    void ITransportHandler.OnClosed(TransportEnding ending, string? detail) => Closed(detail ?? ending.ToString());

    void IHttp2Handler.OnOutputReady() => Loop.FlushAtEndOfIteration(this);

    void IHttp2Handler.OnHeaders(Http2Stream stream, HeaderList headers, bool endStream) => OnHeaders(stream, headers, endStream);

    void IHttp2Handler.OnData(Http2Stream stream, ReadOnlySpan<byte> data)
    {
        if (stream.UserState is Tunnel tunnel)
            tunnel.Received(data);
        else
            DataWithoutTunnel(stream, data);
    }

    /// <summary>DATA before the tunnel was accepted (server) or of an error answer (client).</summary>
    private protected virtual void DataWithoutTunnel(Http2Stream stream, ReadOnlySpan<byte> data) => stream.Consume(data.Length);

    void IHttp2Handler.OnEndStream(Http2Stream stream)
    {
        if (stream.UserState is Tunnel tunnel)
            tunnel.PeerEnded();
        else
            OnStreamEnded(stream);
    }

    void IHttp2Handler.OnReset(Http2Stream stream, Http2ErrorCode code, bool byPeer)
    {
        if (stream.UserState is Tunnel tunnel)
            tunnel.WasReset(code, byPeer);
        else
            OnStreamFailed(stream, code, byPeer);
    }

    void IHttp2Handler.OnWritable(Http2Stream stream) => (stream.UserState as Tunnel)?.Writable();

    void IHttp2Handler.OnStreamClosed(Http2Stream stream)
    {
        StreamClosed();
        CloseIfDrained();
    }

    private protected virtual void StreamClosed()
    {
    }

    public virtual void OnStreamsAvailable()
    {
    }

    void IHttp2Handler.OnSettings()
    {
    }

    void IHttp2Handler.OnPingAck(ulong opaque) => _pingSent = 0;

    void IHttp2Handler.OnGoAway(uint lastStreamId, Http2ErrorCode code, ReadOnlySpan<byte> debug)
    {
        OnDraining();
        CloseIfDrained();
    }

    void IHttp2Handler.OnDrained() => Closed("drained", afterFlush: true);

    void IHttp2Handler.OnConnectionError(Http2ConnectionError error)
    {
        Closed(error.ToString(), afterFlush: true);
    }

    private void CloseIfDrained()
    {
        var nobodyOpensMore = Engine.IsPeerDraining || (Engine.Role == Http2Role.Client && Engine.IsDraining);
        if (nobodyOpensMore && Engine.ActiveStreams == 0)
            Closed("drained", afterFlush: true);
    }

    private void CloseAfterFlush()
    {
        _closing = true;
        while (Engine.Output.Length > 0)
        {
            var pending = Engine.Output.Pending;
            _transport.Write(pending);
            Engine.Output.Advance(pending.Length);
        }

        _closeRequested = true; // the transport disposes itself when the last byte has left
        _transport.CloseAfterFlush();
        _closing = false;
    }

    private void Closed(string reason, bool afterFlush = false)
    {
        if (IsClosed)
            return;
        if (afterFlush)
            CloseAfterFlush();
        IsClosed = true;
        HboneHousekeeping.Of(Loop).Remove(this);
        // The engine does not report what it cannot know.
        foreach (var stream in Engine.Streams.ToArray())
        {
            if (stream.UserState is Tunnel tunnel)
                tunnel.WasReset(null, byPeer: true);
            else
                OnStreamFailed(stream, null, byPeer: true);
        }

        OnConnectionClosed(reason);
        if (!_closeRequested)
            _transport.Dispose();
        Loop.Post(Engine.Dispose); // later: this may run inside the engine
    }
}
