using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using Mesh.Http2;
using Mesh.Net;
using Mesh.Waypoint.Http1;

namespace Mesh.Waypoint.Http2;

/// <summary>
/// One HTTP/2 connection to an application. Its engine lives on the loop of the bytes beneath; what an iteration of the loop writes to any stream
/// leaves in one flush, and who waits for a response is woken when everything that arrived together has been taken.
/// </summary>
/// <remarks>Other threads reserve places for streams and retire the connection; everything else happens on the loop.</remarks>
internal sealed class Http2ClientConnection : IHttp2Handler, IFlushable
{
    /// <summary>Before its SETTINGS the application is taken to allow this many streams, as RFC 9113 6.5.2 recommends.</summary>
    public const int AssumedStreams = 100;

    // However many the application allows: with them the sum of the streams' windows has its bound.
    private const int MostStreams = 1000;

    // What streams whose readers keep up may have above their first window, together.
    private const int MostWidening = 64 * 1024 * 1024;

    // What the streams' windows come to at most.
    private const int MostUnread = (MostStreams * StreamWindow.First) + MostWidening;

    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Slow clients hold back as much of their responses as their streams' windows, and never the other streams: the connection's window is twice what
    /// those come to (an update of it is due when half has been read), so that it never runs out. Memory is bounded by the streams' windows alone.
    /// Envoy takes 60 KiB of response headers, more on HTTP/1 (reference 7.3); one value for both.
    /// </summary>
    private static readonly Http2Options Options = new()
    {
        InitialWindowSize = StreamWindow.First,
        ConnectionWindowSize = 2 * MostUnread,
        MaxFrameSize = 64 * 1024,
        MaxHeaderListSize = 80 * 1024,
        InitialPeerMaxConcurrentStreams = AssumedStreams,

        // A client that leaves makes a window full of small frames ignored ones: no fault of the application.
        IgnoredFrames = new AbuseLimit(2_000_000, 1_000_000),
    };

    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly uint _mostRequests;

    // Any thread.
    private int _places;
    private int _capacity;
    private uint _requests;
    private int _retired;
    private long _idleSince;

    // Of the loop, from Start on.
    private Stream _transport = null!;
    private PipeReader _input = null!;
    private PipeWriter _output = null!;
    private Http2Connection _engine = null!;
    private readonly List<Http2ClientStream> _deferred = [];
    private List<LoopSignal> _woken = [];
    private List<LoopSignal> _waking = [];
    private long _beat;
    private int _widening;
    private uint _lastTaken = uint.MaxValue;
    private bool _isSettled;
    private bool _inEngine;
    private bool _isFlushing;
    private bool _closesAfterFlush;
    private bool _isClosed;
    private Exception? _violation;

    /// <param name="mostRequests">Over its life; 0: any number.</param>
    /// <param name="capacity">Streams that it is taken to allow before it has said so.</param>
    public Http2ClientConnection(EventLoop? home, uint mostRequests, int capacity, TimeProvider time)
    {
        (Home, _mostRequests, _capacity, Time) = (home, mostRequests, capacity, time);
        OpenedAt = _idleSince = time.GetTimestamp();
        _ = _opened.Task.ContinueWith(static t => _ = t.Exception, TaskScheduler.Default);
    }

    /// <summary>A place for a stream may be free.</summary>
    public required Action<Http2ClientConnection> OnRoom { get; init; }

    /// <summary>It is over, or never came about.</summary>
    public required Action<Http2ClientConnection> OnEnd { get; init; }

    /// <summary>The loop of those whom it serves first; null: any.</summary>
    public EventLoop? Home { get; private set; }

    public EventLoop Loop { get; private set; } = null!;

    public TimeProvider Time { get; }

    public long OpenedAt { get; private set; }

    /// <summary>Complete when requests can be sent, failed where no connection could be made.</summary>
    public Task Opened => _opened.Task;

    public bool IsRetired => Volatile.Read(ref _retired) != 0;

    /// <summary>Streams that it allows.</summary>
    public int Capacity => Volatile.Read(ref _capacity);

    public bool IsUnused => Volatile.Read(ref _places) == 0;

    /// <summary>Since when <see cref="IsUnused"/>.</summary>
    public long IdleSince => Volatile.Read(ref _idleSince);

    bool IFlushable.IsQueued { get; set; }

    /// <summary>A place for one stream; given back when that has ended. Any thread.</summary>
    public bool TryReserve()
    {
        while (true)
        {
            var places = Volatile.Read(ref _places);
            if (IsRetired || places >= Capacity)
                return false;
            if (Interlocked.CompareExchange(ref _places, places + 1, places) != places)
                continue;
            if (_mostRequests == 0)
                return true;
            var requests = Interlocked.Increment(ref _requests);
            if (requests >= _mostRequests)
                Retire();
            if (requests <= _mostRequests)
                return true;
            Release();
            return false;
        }
    }

    public void Release()
    {
        Volatile.Write(ref _idleSince, Time.GetTimestamp());
        if (Interlocked.Decrement(ref _places) == 0 && IsRetired)
            EndWhenUnused();
        else
            OnRoom(this);
    }

    /// <summary>Takes no more requests and closes after the last. Any thread.</summary>
    public void Retire()
    {
        if (IsRetired)
            return;

        // A full fence: of this and of Start at the same moment at least one sees the other.
        Interlocked.Exchange(ref _retired, 1);
        if (IsUnused)
            EndWhenUnused();
    }

    /// <summary>The connection is there. Any thread.</summary>
    public void Start(EventLoop loop, Stream transport)
    {
        Loop = loop;
        Home ??= loop;
        _transport = transport;
        (_input, _output) = Pipes(transport);
        OpenedAt = Time.GetTimestamp();
        loop.Spawn(RunAsync);
    }

    /// <summary>No connection came about.</summary>
    public void FailToOpen(Exception reason)
    {
        _retired = 1;
        _opened.SetException(reason);
        OnEnd(this);
    }

    /// <summary>Begins a stream, or keeps it until the application has said how many it allows. On the loop.</summary>
    /// <param name="failure">Null with false: it will be sent by <see cref="Http2ClientStream.SendDeferred"/>.</param>
    public bool TryOpen(Http2ClientStream owner, HeaderList head, bool endStream, [NotNullWhen(true)] out Http2Stream? stream, out Exception? failure)
    {
        (stream, failure) = (null, null);
        if (_isClosed || !_engine.CanOpenStream)
        {
            // Its identifiers are used up, or it is ending.
            if (_isClosed || _engine.ActiveStreams < _engine.PeerMaxConcurrentStreams)
                Retire();
            failure = new StreamNotProcessedException();
            return false;
        }

        // One request is always welcome; of more, some might be refused.
        if (!_isSettled && _engine.ActiveStreams > 0)
        {
            _deferred.Add(owner);
            return false;
        }

        try
        {
            stream = _engine.OpenStream(head, endStream);
            stream.UserState = owner;
            return true;
        }
        catch (ArgumentException e)
        {
            failure = new ClientFaultException("the request has a field that HTTP/2 cannot carry", e);
            return false;
        }
    }

    /// <summary>More window for a stream whose reader keeps up; false: the others have what there is. On the loop.</summary>
    public bool TryWiden(int bytes)
    {
        if (_widening + bytes > MostWidening)
            return false;
        _widening += bytes;
        return true;
    }

    /// <summary>What a stream that has ended had from <see cref="TryWiden"/>. On the loop.</summary>
    public void Narrow(int bytes) => _widening -= bytes;

    /// <summary>Wakes who waits, at once or after what the engine does at the moment. On the loop.</summary>
    public void Complete(LoopSignal signal)
    {
        if (_inEngine)
            _woken.Add(signal);
        else
            signal.Set();
    }

    public void Flush()
    {
        if (_isClosed || _isFlushing)
            return;
        while (_engine.Output.Length > 0)
        {
            var pending = _engine.Output.Pending;
            pending.CopyTo(_output.GetMemory(pending.Length));
            _output.Advance(pending.Length);
            _inEngine = true;
            _engine.Output.Advance(pending.Length);
            _inEngine = false;
            var flush = _output.FlushAsync();
            if (!flush.IsCompleted)
            {
                _isFlushing = true;
                _ = FinishFlushAsync(flush);
                break;
            }

            Flushed(flush);
        }

        WakeAll();
        if (_closesAfterFlush && !_isFlushing)
            Close(null);
    }

    private async Task RunAsync()
    {
        _engine = new Http2Connection(Http2Role.Client, Options, this, Loop.Buffers);
        _beat = Loop.Now;
        _engine.Start();
        _opened.SetResult();
        if (IsRetired && IsUnused)
            EndNow();
        try
        {
            while (!_isClosed)
            {
                var read = await _input.ReadAsync();
                if (_isClosed)
                    return;
                Receive(read.Buffer);
                _input.AdvanceTo(read.Buffer.End);
                WakeAll();
                if (read.IsCompleted)
                    Close(null);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException)
        {
            Close(e);
        }
        catch (Exception e)
        {
            // A fault of ours: the loop reports it, and nobody waits for what cannot come.
            Close(e);
            throw;
        }
    }

    private void Receive(in ReadOnlySequence<byte> bytes)
    {
        // Abuse budgets count per second; without input none is spent.
        if (Loop.Time.GetElapsedTime(_beat, Loop.Now) >= Heartbeat)
        {
            _beat = Loop.Now;
            _engine.Tick();
        }

        _inEngine = true;
        try
        {
            foreach (var segment in bytes)
                _engine.Receive(segment.Span);
        }
        finally
        {
            _inEngine = false;
        }
    }

    private void WakeAll()
    {
        while (_woken.Count > 0)
        {
            (_woken, _waking) = (_waking, _woken);
            foreach (var signal in _waking)
                signal.Set();
            _waking.Clear();
        }
    }

    private async Task FinishFlushAsync(ValueTask<FlushResult> flush)
    {
        try
        {
            await flush;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException)
        {
            Retire();
        }

        _isFlushing = false;
        Flush();
    }

    // A flush that fails is not the end: the application may have answered before it closed, and how the connection ends is read.
    private void Flushed(ValueTask<FlushResult> flush)
    {
        try
        {
            if (flush.GetAwaiter().GetResult().IsCompleted)
                Retire();
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException)
        {
            Retire();
        }
    }

    // Places are given back on the loop, reserved on any.
    private void EndWhenUnused()
    {
        if (Loop is { } loop)
            loop.Post(EndNow);
    }

    private void EndNow()
    {
        if (!_isClosed && _engine is not null && IsUnused)
            _engine.BeginGracefulShutdown();
    }

    private void CloseAfterFlush()
    {
        _closesAfterFlush = true;
        Loop.FlushAtEndOfIteration(this);
    }

    private void Close(Exception? reason)
    {
        if (_isClosed)
            return;
        _isClosed = true;
        _retired = 1;
        var failure = _violation ?? new ConnectionEndedException(reason);
        foreach (var stream in _engine.Streams.ToArray())
            (stream.UserState as Http2ClientStream)?.OnFailed(failure);
        SendDeferred();
        WakeAll();
        End();
        Loop.Post(_engine.Dispose); // later: this may run inside the engine
        OnEnd(this);
    }

    private void End()
    {
        if (_transport is not LoopPipeStream)
        {
            _input.CancelPendingRead();
            _output.CancelPendingFlush();
        }

        _transport.Dispose();
    }

    private void SendDeferred()
    {
        if (_deferred.Count == 0)
            return;
        var deferred = _deferred.ToArray();
        _deferred.Clear();
        foreach (var stream in deferred)
            stream.SendDeferred();
    }

    // A loop's own pipes save a copy in each direction.
    private static (PipeReader Input, PipeWriter Output) Pipes(Stream stream) => stream is LoopPipeStream connection
        ? (connection.Pipe.Input, connection.Pipe.Output)
        : (PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 16 * 1024, leaveOpen: true, useZeroByteReads: true)),
            PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true)));

    void IHttp2Handler.OnHeaders(Http2Stream stream, HeaderList headers, bool endStream) => Of(stream).OnHeaders(headers);

    void IHttp2Handler.OnInformational(Http2Stream stream, HeaderList headers) => Of(stream).OnInterim(headers);

    void IHttp2Handler.OnData(Http2Stream stream, ReadOnlySpan<byte> data) => Of(stream).OnData(data);

    void IHttp2Handler.OnEndStream(Http2Stream stream) => Of(stream).OnComplete();

    void IHttp2Handler.OnReset(Http2Stream stream, Http2ErrorCode code, bool byPeer) => Of(stream).OnFailed(
        !byPeer ? new ProtocolViolationException($"the application broke HTTP/2 on a stream: {code}")
        : code == Http2ErrorCode.REFUSED_STREAM && stream.Id > _lastTaken ? new StreamNotProcessedException()
        : new StreamResetException(code));

    void IHttp2Handler.OnWritable(Http2Stream stream) => Of(stream).OnWritable();

    void IHttp2Handler.OnStreamClosed(Http2Stream stream)
    {
        Of(stream).OnClosed();
        if (_engine.IsPeerDraining && _engine.ActiveStreams == 0)
            CloseAfterFlush();
    }

    void IHttp2Handler.OnStreamsAvailable()
    {
    }

    void IHttp2Handler.OnSettings()
    {
        _isSettled = true;
        Volatile.Write(ref _capacity, (int)Math.Min(_engine.PeerMaxConcurrentStreams, MostStreams));
        SendDeferred();
        OnRoom(this);
    }

    void IHttp2Handler.OnPingAck(ulong opaque)
    {
    }

    void IHttp2Handler.OnGoAway(uint lastStreamId, Http2ErrorCode code, ReadOnlySpan<byte> debug)
    {
        _lastTaken = Math.Min(_lastTaken, lastStreamId);
        _retired = 1;
        SendDeferred();
        if (_engine.ActiveStreams == 0)
            CloseAfterFlush();
    }

    void IHttp2Handler.OnDrained() => CloseAfterFlush();

    void IHttp2Handler.OnConnectionError(Http2ConnectionError error)
    {
        _retired = 1;
        _violation = new ProtocolViolationException($"the application broke HTTP/2: {error}");
        CloseAfterFlush();
    }

    void IHttp2Handler.OnOutputReady() => Loop.FlushAtEndOfIteration(this);

    private static Http2ClientStream Of(Http2Stream stream) => (Http2ClientStream)stream.UserState!;
}
