using Mesh.Http2.Framing;

namespace Mesh.Http2;

/// <summary>How a connection ends: gracefully in two steps, at once by the owner, or by the peer's fault.</summary>
public sealed partial class Http2Connection
{
    /// <summary>Marks the PING between the two GOAWAYs; any value does that owners do not use ("drain..." in ASCII).</summary>
    private const ulong DrainPing = 0x647261696e2e2e2e;

    private enum Shutdown : byte
    {
        None,
        AwaitingPing,
        Announced,
        Reported,
    }

    private Shutdown _shutdown;
    private bool _goAwayReceived;

    // Streams above it get no answer.
    private uint _goAwayLastId = Protocol.MaxStreamId;

    /// <summary>Either side has announced the end: running streams finish, a client opens no more.</summary>
    public bool IsDraining => _shutdown != Shutdown.None || _goAwayReceived;

    /// <summary>The peer has sent GOAWAY.</summary>
    public bool IsPeerDraining => _goAwayReceived;

    /// <summary>
    /// Server: GOAWAY with the highest identifier, so that nothing under way is lost, and a PING; when the peer has answered it, GOAWAY with the
    /// real last stream (RFC 9113, 6.8). Client: it opens no more streams. OnDrained follows when the last stream has ended.
    /// </summary>
    public void BeginGracefulShutdown()
    {
        if (IsClosed || _shutdown != Shutdown.None)
            return;
        if (!IsServer)
        {
            SendLastGoAway();
            return;
        }

        _shutdown = Shutdown.AwaitingPing;
        FrameWriter.GoAway(Output, Protocol.MaxStreamId, Http2ErrorCode.NO_ERROR, string.Empty);
        FrameWriter.Ping(Output, DrainPing, ack: false);
    }

    /// <summary>Ends the connection now: GOAWAY is queued, nothing is received or called back any more.</summary>
    public void GoAway(Http2ErrorCode code)
    {
        if (IsClosed)
            return;
        FrameWriter.GoAway(Output, Math.Min(_lastPeerId, _goAwayLastId), code, string.Empty);
        IsClosed = true;
    }

    private void SendLastGoAway()
    {
        _shutdown = Shutdown.Announced;
        _goAwayLastId = _lastPeerId;
        FrameWriter.GoAway(Output, _lastPeerId, Http2ErrorCode.NO_ERROR, string.Empty);
        ReportDrained();
    }

    private void ReportDrained()
    {
        if (_shutdown != Shutdown.Announced || _streams.Count > 0 || IsClosed)
            return;
        _shutdown = Shutdown.Reported;
        _handler.OnDrained();
    }

    private void Fail(Http2ErrorCode code, string reason)
    {
        if (IsClosed)
            return;
        FrameWriter.GoAway(Output, Math.Min(_lastPeerId, _goAwayLastId), code, reason);
        IsClosed = true;
        _handler.OnConnectionError(new Http2ConnectionError(code, reason));
    }
}
