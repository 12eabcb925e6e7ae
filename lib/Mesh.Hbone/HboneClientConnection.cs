using System.Globalization;
using System.Net;
using Mesh.Http2;
using Mesh.Model;
using Mesh.Net;

namespace Mesh.Hbone;

/// <summary>The client side of a tunnel connection: opens CONNECT streams and waits for their answers.</summary>
public sealed class HboneClientConnection : HboneConnection
{
    private readonly HboneOptions _options;
    private readonly int _maxStreams;
    private bool _draining;
    private long _idleSince;

    internal HboneClientConnection(EventLoop loop, ITransport transport, HboneOptions options, SpiffeId? peer, IPEndPoint remote, IPEndPoint local)
        : base(loop, transport, Http2Role.Client, options, peer, remote, local)
    {
        _options = options;
        _maxStreams = options.MaxStreamsPerConnection;
        _idleSince = loop.Now;
    }

    /// <summary>The pool's hooks; called on the loop.</summary>
    internal Action<HboneClientConnection, string>? ConnectionClosed { get; set; }

    internal Action<HboneClientConnection>? RoomAvailable { get; set; }

    /// <summary>What TCP took when the connection was made; zero inside another tunnel.</summary>
    public TimeSpan TcpTime { get; init; }

    /// <summary>What the TLS handshake took, the wait for the own certificate not included.</summary>
    public TimeSpan TlsTime { get; init; }

    /// <summary>Not pooled: nobody will open a second tunnel.</summary>
    internal bool EndsWithItsTunnel { get; init; }

    /// <summary>The connection may be given to new callers at all (it may still be full).</summary>
    internal bool IsUsable => !IsClosed && !_draining && !Engine.IsDraining;

    /// <summary>Full by our own limit: callers need another connection.</summary>
    internal bool IsFull => ActiveStreams >= _maxStreams;

    /// <summary>A CONNECT can go out now; false below our limit means that the peer allows fewer streams than we would use.</summary>
    internal bool CanOpen => IsUsable && !IsFull && Engine.CanOpenStream;

    /// <summary>Sends CONNECT at once. Only when <see cref="CanOpen"/>.</summary>
    internal ValueTask<TunnelResult> ConnectAsync(HeaderList headers, bool reused)
    {
        var stream = Engine.OpenStream(headers, endStream: false);
        var pending = new PendingConnect(this, stream, reused);
        stream.UserState = pending;
        pending.Deadline = Loop.Schedule(_options.ResponseTimeout, pending.TimedOut);
        return new ValueTask<TunnelResult>(pending.Answer.Task);
    }

    private protected override void OnHeaders(Http2Stream stream, HeaderList headers, bool endStream)
    {
        if (stream.UserState is not PendingConnect pending)
            return; // trailers of a running tunnel carry nothing for us
        var status = int.TryParse(headers.Get(":status"), NumberStyles.None, CultureInfo.InvariantCulture, out var s) ? s : 0;
        if (status is >= 100 and < 200)
            return;
        if (status == 200)
        {
            var tunnel = new Tunnel(this, stream, headers);
            stream.UserState = tunnel;
            pending.Complete(TunnelResult.Open(tunnel, pending.Reused));
            return;
        }

        stream.UserState = null;
        stream.Reset(Http2ErrorCode.CANCEL);
        pending.Complete(TunnelResult.Failed(this, Ending.TunnelRefused, $"http status: {status}", pending.Reused, status, headers));
    }

    private protected override void OnStreamEnded(Http2Stream stream) =>
        Fail(stream, Ending.ProtocolFailure, "the peer ended the stream without an answer to CONNECT", refused: false);

    private protected override void OnStreamFailed(Http2Stream stream, Http2ErrorCode? code, bool byPeer) => Fail(stream,
        Ending.TunnelLost, code is null ? "the tunnel's connection was lost before CONNECT was answered" : $"CONNECT was reset {(byPeer ? "by the peer" : "here")}: {code}",
        refused: byPeer && code == Http2ErrorCode.REFUSED_STREAM);

    private protected override void OnConnectionClosed(string reason) => ConnectionClosed?.Invoke(this, reason);

    private protected override void OnDraining() => _draining = true;

    private protected override void StreamClosed()
    {
        if (EndsWithItsTunnel && ActiveStreams == 0)
        {
            Abort("its only tunnel has ended");
            return;
        }

        _idleSince = Loop.Now;
        RoomAvailable?.Invoke(this);
    }

    public override void OnStreamsAvailable() => RoomAvailable?.Invoke(this);

    internal override void Tick(long now)
    {
        base.Tick(now);
        if (!IsClosed && ActiveStreams == 0 && Loop.Time.GetElapsedTime(_idleSince, now) >= _options.UnusedTimeout)
        {
            _draining = true;
            Abort("unused");
        }
    }

    private static void Fail(Http2Stream stream, Ending ending, string error, bool refused)
    {
        if (stream.UserState is not PendingConnect pending)
            return;
        stream.UserState = null;
        pending.Complete(TunnelResult.Failed(pending.Connection, ending, error, pending.Reused, refused: refused));
    }

    /// <summary>A CONNECT without an answer yet.</summary>
    private sealed class PendingConnect(HboneClientConnection connection, Http2Stream stream, bool reused)
    {
        public TaskCompletionSource<TunnelResult> Answer { get; } = new();

        public HboneClientConnection Connection { get; } = connection;

        public bool Reused { get; } = reused;

        public LoopTimer? Deadline { get; set; }

        public void TimedOut()
        {
            if (!ReferenceEquals(stream.UserState, this))
                return;
            stream.UserState = null;
            stream.Reset(Http2ErrorCode.CANCEL);
            Complete(TunnelResult.Failed(Connection, Ending.UpstreamTimeout,
                $"no answer to CONNECT from {Connection.RemoteEndPoint} within {Connection._options.ResponseTimeout.TotalSeconds:0} s", Reused));
        }

        public void Complete(TunnelResult result)
        {
            Deadline?.Cancel();
            Answer.TrySetResult(result);
        }
    }
}
