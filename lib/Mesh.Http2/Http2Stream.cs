using Mesh.Http2.Flow;

namespace Mesh.Http2;

/// <summary>
/// One stream. Calls on a stream that has been closed - by the peer, or with its connection - do nothing, so that an owner need not guard
/// against every race; calls in the wrong order on an open stream throw.
/// </summary>
public sealed class Http2Stream
{
    private readonly Http2Connection _connection;
    private Http2StreamState _state;

    internal Http2Stream(Http2Connection connection, uint id, int sendWindow, int receiveWindow, Http2StreamState state)
    {
        _connection = connection;
        Id = id;
        SendWindow = new SendWindow(sendWindow);
        ReceiveWindow = new ReceiveWindow(receiveWindow);
        _state = state;
    }

    public uint Id { get; }

    public Http2Connection Connection => _connection;

    public object? UserState { get; set; }

    public Http2StreamState State => _connection.IsClosed ? Http2StreamState.Closed : _state;

    /// <summary>What <see cref="Write"/> would take now: both windows and the output's room.</summary>
    public int SendCredit => CanSendData ? _connection.CreditOf(this) : 0;

    /// <summary>Bytes handed to OnData and not yet given back by <see cref="Consume"/>.</summary>
    public int UnconsumedBytes { get; internal set; }

    /// <summary>Bytes the peer may still send before it needs an update.</summary>
    public int ReceiveCredit => ReceiveWindow.Available;

    // The rest belongs to the connection, which alone changes it.
    internal SendWindow SendWindow;
    internal ReceiveWindow ReceiveWindow;

    /// <summary>A CONNECT that was answered with 2xx carries only DATA from then on (RFC 9113, 8.5).</summary>
    internal bool IsConnect;
    internal bool IsHead;

    /// <summary>Server: we have sent, client: we have received the final (not 1xx) response.</summary>
    internal bool HasFinalHeaders;
    internal bool TrailersSent;

    /// <summary>Body octets that the content-length still promises; -1: unknown.</summary>
    internal long ExpectedBytes = -1;

    /// <summary>A write was short: OnWritable is owed.</summary>
    internal bool WantsCredit;
    internal bool IsWaiting;
    internal Http2Stream? WaitingNext;
    internal Http2Stream? WaitingPrevious;

    internal bool IsAlive => _state != Http2StreamState.Closed && !_connection.IsClosed;

    internal bool LocalEnded => _state is Http2StreamState.HalfClosedLocal or Http2StreamState.Closed;

    internal bool RemoteEnded => _state is Http2StreamState.HalfClosedRemote or Http2StreamState.Closed;

    internal bool IsClosed => _state == Http2StreamState.Closed;

    private bool CanSendData => IsAlive && !LocalEnded && (_connection.Role == Http2Role.Client || HasFinalHeaders);

    /// <summary>Server: the response, after any 1xx. Both: trailers, with <paramref name="endStream"/>.</summary>
    /// <remarks>A server's response that ends the stream while the request has not ended is followed by RST_STREAM(NO_ERROR) (RFC 9113, 8.1).</remarks>
    public void SendHeaders(HeaderList headers, bool endStream)
    {
        ArgumentNullException.ThrowIfNull(headers);
        if (!IsAlive)
            return;
        ThrowIfEnded();
        _connection.SendHeaders(this, headers, endStream);
    }

    /// <summary>
    /// Frames and queues what credit and output room allow and returns how much that was. END_STREAM goes with the last byte, so only when all
    /// was taken. After a short write OnWritable follows.
    /// </summary>
    public int Write(ReadOnlySpan<byte> data, bool endStream = false)
    {
        if (!IsAlive)
            return 0;
        ThrowIfCannotSendData();
        return _connection.WriteData(this, data, endStream);
    }

    /// <summary>
    /// Room for up to <paramref name="sizeHint"/> bytes of one DATA frame inside the output, to be filled in place and committed by
    /// <see cref="CommitData"/> (zero: nothing came) before anything else is called on this connection. Empty: no credit, OnWritable follows.
    /// </summary>
    public Span<byte> GetDataBuffer(int sizeHint)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(sizeHint);
        if (!IsAlive)
            return default;
        ThrowIfCannotSendData();
        return _connection.ReserveData(this, sizeHint);
    }

    public void CommitData(int count, bool endStream = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (!IsAlive)
            return;
        ThrowIfCannotSendData();
        _connection.CommitData(this, count, endStream);
    }

    /// <summary>Ends our side with an empty DATA frame; needs no credit.</summary>
    public void EndStream() => Write(default, endStream: true);

    /// <summary>Ends both sides at once. What was not consumed is given back to the connection.</summary>
    public void Reset(Http2ErrorCode code)
    {
        if (IsAlive)
            _connection.ResetByOwner(this, code);
    }

    /// <summary>
    /// <paramref name="bytes"/> of OnData have been passed on: the peer may send as many more. The update goes out when half a window is due.
    /// </summary>
    public void Consume(int bytes)
    {
        if (bytes == 0 || UnconsumedBytes == 0)
            return; // also after a reset, which has given everything back
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)bytes, (uint)UnconsumedBytes, nameof(bytes));
        UnconsumedBytes -= bytes;
        _connection.ReturnCredit(this, bytes);
    }

    /// <summary>The peer may have this much more under way; it is told with the next update that is due.</summary>
    public void Widen(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (IsAlive && !RemoteEnded)
            ReceiveWindow.Widen(bytes);
    }

    public override string ToString() => $"stream {Id} {State}";

    internal void EndLocal() => _state = _state == Http2StreamState.HalfClosedRemote ? Http2StreamState.Closed : Http2StreamState.HalfClosedLocal;

    internal void EndRemote() => _state = _state == Http2StreamState.HalfClosedLocal ? Http2StreamState.Closed : Http2StreamState.HalfClosedRemote;

    internal void Close() => _state = Http2StreamState.Closed;

    private void ThrowIfEnded()
    {
        if (LocalEnded)
            throw new InvalidOperationException($"{this}: our side has already been ended");
    }

    private void ThrowIfCannotSendData()
    {
        ThrowIfEnded();
        if (_connection.Role == Http2Role.Server && !HasFinalHeaders)
            throw new InvalidOperationException($"{this}: a response begins with SendHeaders, then DATA");
    }
}
