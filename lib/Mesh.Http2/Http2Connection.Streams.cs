using Mesh.Http2.Framing;

namespace Mesh.Http2;

/// <summary>The table of open streams, how they begin and end, and who waits for credit.</summary>
public sealed partial class Http2Connection
{
    private const int StreamsBeforeAck = 100;

    private readonly Dictionary<uint, Http2Stream> _streams = [];
    private readonly ClosedStreams _closedStreams = new();
    private Http2Stream? _lastFound;
    private uint _nextLocalId;
    private uint _lastPeerId;

    // Streams that could send but for the connection's window or the output's limit; first come, first woken.
    private Http2Stream? _waitingHead;
    private Http2Stream? _waitingTail;
    private int _waitingCount;
    private bool _waking;
    private bool _wakeAgain;

    public int ActiveStreams => _streams.Count;

    /// <summary>The open streams, for an owner whose connection is over and who has to end its own side of each. Do not enumerate while calling the engine.</summary>
    public IReadOnlyCollection<Http2Stream> Streams => _streams.Values;

    /// <summary>Client: within the peer's limit, not draining, identifiers left.</summary>
    public bool CanOpenStream => !IsServer && !IsClosed && !IsDraining && _nextLocalId <= Protocol.MaxStreamId && (uint)_streams.Count < _peerMaxStreams;

    /// <summary>
    /// Streams the peer may have open now. Until it has acknowledged our SETTINGS it cannot know the limit and is not held to one below 100, which
    /// RFC 9113 6.5.2 names as the least that clients may count on.
    /// </summary>
    private int StreamLimit => Options.MaxConcurrentStreams is not { } limit ? int.MaxValue : _settingsAcknowledged ? limit : Math.Max(limit, StreamsBeforeAck);

    // Before the acknowledgement a peer may believe in the protocol's default.
    private int ReceiveWindowBeforeAck => Math.Max(Options.InitialWindowSize, Protocol.DefaultWindow);

    /// <summary>Sends a request; allowed before the peer's SETTINGS have come.</summary>
    /// <exception cref="InvalidOperationException"><see cref="CanOpenStream"/> is false.</exception>
    public Http2Stream OpenStream(HeaderList headers, bool endStream)
    {
        ArgumentNullException.ThrowIfNull(headers);
        if (!CanOpenStream)
            throw new InvalidOperationException($"no stream can be opened: {ActiveStreams} of {_peerMaxStreams} are open, draining {IsDraining}, closed {IsClosed}");
        HeaderRules.ThrowIfUnsendable(headers);
        if (!HeaderRules.IsValidRequest(headers))
            throw new ArgumentException("the request is malformed (RFC 9113, 8.3.1 and 8.5): CONNECT has :authority only, others :method, :scheme and :path", nameof(headers));

        var id = _nextLocalId;
        _nextLocalId += 2;
        _closedStreams.Advance(id);
        var stream = AddStream(id, endStream ? Http2StreamState.HalfClosedLocal : Http2StreamState.Open);
        stream.IsConnect = string.Equals(headers.Method, "CONNECT", StringComparison.Ordinal);
        stream.IsHead = string.Equals(headers.Method, "HEAD", StringComparison.Ordinal);
        WriteHeaders(id, headers, endStream);
        return stream;
    }

    private Http2Stream? Find(uint id)
    {
        // Frames come in runs of one stream.
        if (_lastFound is { } last && last.Id == id)
            return last;
        if (_streams.TryGetValue(id, out var stream))
            _lastFound = stream;
        return stream;
    }

    /// <summary>5.1: nobody has used it yet, so only its opener's HEADERS may come.</summary>
    private bool IsIdle(uint id) => IsServer
        ? (id & 1) == 0 || id > _lastPeerId
        : (id & 1) == 0 || id >= _nextLocalId;

    /// <summary>Frames that were under way when we reset the stream, or that follow a HEADERS we left out by GOAWAY.</summary>
    private bool IsLateByRight(uint id) => (IsServer && id > _goAwayLastId) || _closedStreams.Find(id) == StreamEnd.ResetByUs;

    private Http2Stream AddStream(uint id, Http2StreamState state)
    {
        var receive = _settingsAcknowledged ? Options.InitialWindowSize : ReceiveWindowBeforeAck;
        var stream = new Http2Stream(this, id, _peerInitialWindow, receive, state);
        _streams.Add(id, stream);
        _lastFound = stream;
        return stream;
    }

    private void EndRemote(Http2Stream stream)
    {
        if (stream.ExpectedBytes > 0)
        {
            FailStream(stream, Http2ErrorCode.PROTOCOL_ERROR); // 8.1.1: less than the content-length
            return;
        }

        var closes = stream.LocalEnded;
        stream.EndRemote();
        _handler.OnEndStream(stream);
        if (closes && !IsClosed)
            CloseStream(stream, StreamEnd.Finished, code: null, byPeer: false);
    }

    private void EndLocal(Http2Stream stream)
    {
        stream.EndLocal();
        stream.WantsCredit = false;
        Unqueue(stream);
        if (stream.IsClosed)
            CloseStream(stream, StreamEnd.Finished, code: null, byPeer: false);
    }

    /// <summary>The peer broke a rule on an open stream.</summary>
    private void FailStream(Http2Stream stream, Http2ErrorCode code, bool tellOwner = true)
    {
        if (!SpendReset())
            return;
        FrameWriter.ResetStream(Output, stream.Id, code);
        CloseStream(stream, StreamEnd.ResetByUs, code, byPeer: false, tellOwner);
    }

    /// <summary>The same for a stream that the owner never saw or has already forgotten.</summary>
    private void ResetUnknown(uint id, Http2ErrorCode code)
    {
        if (SpendReset())
            SendReset(id, code);
    }

    private void SendReset(uint id, Http2ErrorCode code)
    {
        _closedStreams.Remember(id, StreamEnd.ResetByUs);
        FrameWriter.ResetStream(Output, id, code);
    }

    /// <summary>Each reset that the peer provokes costs it: it gets a stream's worth of work for nothing.</summary>
    private bool SpendReset()
    {
        if (_budgets.TrySpendReset())
            return true;
        Fail(Http2ErrorCode.ENHANCE_YOUR_CALM, "too many streams had to be reset");
        return false;
    }

    internal void ResetByOwner(Http2Stream stream, Http2ErrorCode code)
    {
        FrameWriter.ResetStream(Output, stream.Id, code);
        CloseStream(stream, StreamEnd.ResetByUs, code: null, byPeer: false);
    }

    /// <param name="code">Not null: the owner is told of a reset first.</param>
    private void CloseStream(Http2Stream stream, StreamEnd end, Http2ErrorCode? code, bool byPeer, bool tellOwner = true)
    {
        var couldOpen = CanOpenStream;
        stream.Close();
        _streams.Remove(stream.Id);
        _closedStreams.Remember(stream.Id, end);
        Unqueue(stream);
        if (_lastFound == stream)
            _lastFound = null;
        if (_dataStream == stream)
            _dataStream = null;

        // After a regular end the owner still holds what it has not consumed; after a reset nobody does.
        if (end != StreamEnd.Finished && stream.UnconsumedBytes is > 0 and var held)
        {
            stream.UnconsumedBytes = 0;
            ReturnConnectionCredit(held);
        }

        if (tellOwner && code is { } reason)
            _handler.OnReset(stream, reason, byPeer);
        if (tellOwner && !IsClosed)
            _handler.OnStreamClosed(stream);
        if (!IsClosed && !couldOpen && CanOpenStream)
            _handler.OnStreamsAvailable();
        ReportDrained();
    }

    /// <summary>OnWritable is owed to the stream; it queues here unless its own window is what it lacks.</summary>
    private void WaitForCredit(Http2Stream stream)
    {
        stream.WantsCredit = true;
        if (stream.SendWindow.Available > 0)
            Queue(stream);
    }

    /// <summary>The stream's own window has grown.</summary>
    private void Wake(Http2Stream stream)
    {
        if (!stream.WantsCredit || stream.IsWaiting || stream.SendWindow.Available <= 0)
            return;
        Queue(stream);
        WakeWaiting();
    }

    /// <summary>Every stream's own window may have grown.</summary>
    private void WakeAll()
    {
        if (IsClosed)
            return;
        foreach (var stream in _streams.Values)
        {
            if (stream.WantsCredit && !stream.IsWaiting && stream.SendWindow.Available > 0)
                Queue(stream);
        }

        WakeWaiting();
    }

    /// <summary>Each waiting stream once, oldest first, as long as there is something to give. Who is still short queues again at the end.</summary>
    private void WakeWaiting()
    {
        _wakeAgain = true;
        if (_waking)
            return;
        _waking = true;

        // An owner that drains the output inside OnWritable makes room for those who have just queued again.
        while (_wakeAgain)
        {
            _wakeAgain = false;
            for (var turns = _waitingCount; turns > 0 && _waitingHead is { } stream && CanWriteNow; turns--)
            {
                Unqueue(stream);
                if (stream.SendWindow.Available <= 0)
                    continue; // lowered by SETTINGS meanwhile; its own update will wake it
                stream.WantsCredit = false;
                _handler.OnWritable(stream);
            }
        }

        _waking = false;
    }

    private bool CanWriteNow => !IsClosed && _sendWindow.Available > 0 && Output.Length < OutputLimit;

    private void Queue(Http2Stream stream)
    {
        if (stream.IsWaiting)
            return;
        stream.IsWaiting = true;
        stream.WaitingPrevious = _waitingTail;
        if (_waitingTail is null)
            _waitingHead = stream;
        else
            _waitingTail.WaitingNext = stream;
        _waitingTail = stream;
        _waitingCount++;
    }

    private void Unqueue(Http2Stream stream)
    {
        if (!stream.IsWaiting)
            return;
        if (stream.WaitingPrevious is { } previous)
            previous.WaitingNext = stream.WaitingNext;
        else
            _waitingHead = stream.WaitingNext;
        if (stream.WaitingNext is { } next)
            next.WaitingPrevious = stream.WaitingPrevious;
        else
            _waitingTail = stream.WaitingPrevious;
        stream.WaitingNext = stream.WaitingPrevious = null;
        stream.IsWaiting = false;
        _waitingCount--;
    }
}
