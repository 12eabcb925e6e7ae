using System.Buffers;
using System.Diagnostics;
using Mesh.Http2;
using Mesh.Net;
using Mesh.Waypoint.Http1;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Http2;

/// <summary>Writes a request's body to its stream; runs on the loop of the connection, and returns when all of it was taken or the request is over.</summary>
internal delegate Task Http2BodySender(Http2ClientStream stream, CancellationToken stop);

/// <summary>
/// One request on an HTTP/2 connection to an application: its body goes out while the response comes in. The engine's side of it lives on the loop of
/// the connection; who waits for the response may be on any thread, one at a time. They meet under a lock that is held for as long as it takes to
/// hand a buffer over: a response that is there already is read without a word between threads.
/// </summary>
internal sealed class Http2ClientStream
{
    /// <summary>The first bytes of a response are given back to the application's window at once, so that short ones need no word about credit.</summary>
    private const int FreeBytes = 16 * 1024;

    // Read off the loop, this much is given back at a time: far less than half of a window, which is when the application is told.
    private const int CreditBatch = 16 * 1024;

    private const int SmallestBuffer = 4 * 1024;

    private readonly Http2ClientConnection _connection;
    private readonly HeaderList _head;
    private readonly Http2BodySender? _body;
    private readonly Lock _gate = new();
    private readonly LoopSignal _arrived;
    private readonly CancellationTokenSource? _stop;

    // Under _gate.
    private Queue<HeaderList>? _interim;
    private HeaderList? _response;
    private HeaderList? _trailers;
    private byte[] _incoming = [];
    private int _incomingCount;
    private int _incomingCharged;
    private bool _isComplete;
    private bool _isDropped;
    private bool _isAwaited;
    private Exception? _failure;

    // Of the reader: what it was lent last.
    private byte[] _lent = [];
    private int _lentCharged;

    // Read by one side, written by the other.
    private int _owed;
    private volatile bool _isSent;

    // Of the loop.
    private Http2Stream? _stream;
    private int _free = FreeBytes;
    private StreamWindow _window = new();
    private Task _sending = Task.CompletedTask;
    private LoopSignal? _taken;
    private ReadOnlySequence<byte> _unsent;
    private bool _isWriting;
    private Exception? _takesNoMore;
    private bool _isOver;

    /// <param name="connection">Has a place reserved for it.</param>
    /// <param name="body">Null: the request has none.</param>
    public Http2ClientStream(Http2ClientConnection connection, HeaderList head, Http2BodySender? body)
    {
        _connection = connection;
        _head = head;
        _body = body;
        _arrived = new LoopSignal(connection.Loop);
        _isSent = body is null;
        _stop = body is null ? null : new CancellationTokenSource();
    }

    /// <summary>There after the body.</summary>
    public HeaderList? Trailers => _trailers;

    private EventLoop Loop => _connection.Loop;

    /// <summary>Sends the request. Any thread.</summary>
    public void Send() => Run(SendNow);

    /// <summary>The next 1xx, or the head of the final response.</summary>
    /// <exception cref="IOException">It does not come.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    public async ValueTask<HeaderList> ReadHeadAsync()
    {
        while (true)
        {
            ValueTask arriving;
            lock (_gate)
            {
                if (_interim is not null && _interim.TryDequeue(out var interim))
                    return interim;
                if (_response is { } response)
                    return response;
                if (_failure is { } failure)
                    throw failure;
                arriving = Await();
            }

            await arriving;
        }
    }

    /// <summary>The next piece of the body, valid until the next call; empty: complete.</summary>
    public ValueTask<ReadOnlySequence<byte>> ReadBodyAsync()
    {
        GiveBack();
        ValueTask arriving;
        lock (_gate)
        {
            if (TryTake(out var piece))
                return new ValueTask<ReadOnlySequence<byte>>(piece);
            arriving = Await();
        }

        return ReadArrivingAsync(arriving);
    }

    /// <summary>Ends waits of this request: they throw; the application is told. Any thread.</summary>
    public void Cancel() => Run(() => Fail(new OperationCanceledException("the request was cancelled")));

    /// <summary>All of it, or as much as the application takes now and the rest as it takes more. On the loop.</summary>
    /// <exception cref="IOException">The application takes no more.</exception>
    public ValueTask WriteAsync(ReadOnlySequence<byte> data)
    {
        _unsent = data;
        if (TrySend())
            return ValueTask.CompletedTask;
        _isWriting = true;
        return AwaitTakenAsync((_taken ??= new LoopSignal(Loop)).Begin());
    }

    /// <summary>The request is complete. On the loop.</summary>
    /// <param name="trailers">Null: none.</param>
    public void End(HeaderList? trailers)
    {
        if (_takesNoMore is { } reason)
            throw reason;
        if (trailers is null)
            _stream!.EndStream();
        else
            _stream!.SendHeaders(trailers, endStream: true);
    }

    /// <summary>The request is over, complete or not. After this nothing reads its body on behalf of it. Any thread, once.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_isSent)
            await _stop!.CancelAsync();
        GiveBack();
        byte[] unread;
        lock (_gate)
        {
            _isDropped = true;
            (unread, _incoming) = (_incoming, []);
            Interlocked.Add(ref _owed, _incomingCharged);
            (_incomingCount, _incomingCharged) = (0, 0);
        }

        Return(unread);
        if (_isSent)
            Run(LeaveNow);
        else
            await LeaveAndStopAsync();
        _stop?.Dispose();
    }

    // From here: called by the connection, on the loop.
    internal void OnInterim(HeaderList headers)
    {
        bool wakes;
        lock (_gate)
        {
            (_interim ??= []).Enqueue(headers);
            wakes = TakeAwaited();
        }

        Wake(wakes);
    }

    internal void OnHeaders(HeaderList headers)
    {
        bool wakes;
        lock (_gate)
        {
            if (_response is null)
                _response = headers;
            else
                _trailers = headers;
            wakes = TakeAwaited();
        }

        Wake(wakes);
    }

    internal void OnData(ReadOnlySpan<byte> data)
    {
        var free = Math.Min(_free, data.Length);
        _free -= free;
        bool wakes;
        lock (_gate)
        {
            if (_isDropped)
            {
                free = data.Length;
                wakes = false;
            }
            else
            {
                Append(data);
                _incomingCharged += data.Length - free;
                wakes = TakeAwaited();
            }
        }

        _stream!.Consume(free);
        Wake(wakes);
    }

    internal void OnComplete()
    {
        bool wakes;
        lock (_gate)
        {
            _isComplete = true;
            wakes = TakeAwaited();
        }

        Wake(wakes);
    }

    internal void OnWritable()
    {
        if (_isWriting && TrySend())
            EndWrite();
    }

    /// <summary>The stream has ended otherwise than in order, or was never opened.</summary>
    internal void OnFailed(Exception reason)
    {
        _takesNoMore ??= reason as IOException ?? new IOException("the application takes no more of the request", reason);
        EndWrite();
        bool wakes;
        lock (_gate)
        {
            _failure ??= reason;
            wakes = TakeAwaited();
        }

        Wake(wakes);
    }

    internal void OnClosed()
    {
        _isOver = true;
        _connection.Narrow(_window.Widening);
        if (!_isSent)
            _takesNoMore ??= new IOException("the stream has ended");
        _connection.Release();
    }

    private void SendNow()
    {
        // Cancelled before its turn.
        if (_takesNoMore is not null)
        {
            NeverOpened();
            return;
        }

        if (!_connection.TryOpen(this, _head, endStream: _body is null, out var stream, out var failure))
        {
            if (failure is null)
                return; // its turn comes with the application's SETTINGS
            NeverOpened();
            OnFailed(failure);
            return;
        }

        _stream = stream;
        if (_body is not null)
            _sending = SendBodyAsync(_body);
    }

    /// <summary>The application's SETTINGS have come; on the loop.</summary>
    internal void SendDeferred() => SendNow();

    internal void NeverOpened()
    {
        if (_isOver)
            return;
        _isOver = _isSent = true;
        _connection.Release();
    }

    private async Task SendBodyAsync(Http2BodySender body)
    {
        try
        {
            await body(this, _stop!.Token);
        }
        catch (IOException e) when (e is not BadHttpRequestException)
        {
            // The application takes no more of it. What it answers, or how its stream ends, is read on the other side.
        }
        catch (OperationCanceledException)
        {
            // The try is over.
        }
        catch (Exception e)
        {
            // The client's body broke: the request cannot be completed.
            Fail(new ClientFaultException("the client's request body broke", e));
        }

        _isSent = true;
    }

    private void Fail(Exception reason)
    {
        OnFailed(reason);
        if (!_isOver)
            _stream?.Reset(Http2ErrorCode.CANCEL);
    }

    private void LeaveNow()
    {
        _takesNoMore ??= new IOException("the request is over");
        EndWrite();
        ReturnCredit();
        if (!_isOver)
            _stream?.Reset(Http2ErrorCode.CANCEL);
    }

    private async Task LeaveAndStopAsync()
    {
        try
        {
            await Loop.InvokeAsync(async () =>
            {
                LeaveNow();
                await _sending;
            });
        }
        catch (OperationCanceledException)
        {
            // The loop has ended, and with it everything on it.
        }
    }

    private bool TrySend()
    {
        if (_takesNoMore is { } reason)
            throw reason;
        var sent = 0L;
        foreach (var segment in _unsent)
        {
            var count = _stream!.Write(segment.Span);
            sent += count;
            if (count < segment.Length)
                break;
        }

        _unsent = _unsent.Slice(sent);
        return _unsent.IsEmpty;
    }

    private void EndWrite()
    {
        if (!_isWriting)
            return;
        _isWriting = false;
        _unsent = default;
        _connection.Complete(_taken!);
    }

    private async ValueTask AwaitTakenAsync(ValueTask taken)
    {
        await taken;
        if (_takesNoMore is { } reason)
            throw reason;
    }

    private async ValueTask<ReadOnlySequence<byte>> ReadArrivingAsync(ValueTask arriving)
    {
        while (true)
        {
            await arriving;
            lock (_gate)
            {
                if (TryTake(out var piece))
                    return piece;
                arriving = Await();
            }
        }
    }

    // Under _gate. What came before a failure is the client's.
    private bool TryTake(out ReadOnlySequence<byte> piece)
    {
        if (_incomingCount > 0)
        {
            piece = new ReadOnlySequence<byte>(_incoming, 0, _incomingCount);
            (_lent, _lentCharged) = (_incoming, _incomingCharged);
            (_incoming, _incomingCount, _incomingCharged) = ([], 0, 0);
            return true;
        }

        piece = default;
        if (!_isComplete && _failure is { } failure)
            throw failure;
        return _isComplete;
    }

    // Under _gate.
    private void Append(ReadOnlySpan<byte> data)
    {
        if (_incoming.Length - _incomingCount < data.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(SmallestBuffer, Math.Max(_incomingCount + data.Length, _incoming.Length * 2)));
            _incoming.AsSpan(0, _incomingCount).CopyTo(larger);
            Return(_incoming);
            _incoming = larger;
        }

        data.CopyTo(_incoming.AsSpan(_incomingCount));
        _incomingCount += data.Length;
    }

    private void GiveBack()
    {
        Return(_lent);
        _lent = [];
        if (_lentCharged == 0)
            return;
        var owed = Interlocked.Add(ref _owed, _lentCharged);
        var before = owed - _lentCharged;
        _lentCharged = 0;
        if (Loop.InLoop)
            ReturnCredit();
        else if (owed >= CreditBatch && before < CreditBatch)
            Loop.Post(ReturnCredit);
    }

    private void ReturnCredit()
    {
        if (Interlocked.Exchange(ref _owed, 0) is not (> 0 and var owed))
            return;
        if (!_isOver)
            _stream?.Widen(_window.OnRead(owed, _connection));
        _stream?.Consume(owed);
    }

    // Under _gate.
    private ValueTask Await()
    {
        Debug.Assert(!_isAwaited, "one reader at a time");
        _isAwaited = true;
        return _arrived.Begin();
    }

    // Under _gate.
    private bool TakeAwaited()
    {
        var awaited = _isAwaited;
        _isAwaited = false;
        return awaited;
    }

    private void Wake(bool wakes)
    {
        if (wakes)
            _connection.Complete(_arrived);
    }

    private void Run(Action action)
    {
        if (Loop.InLoop)
            action();
        else
            Loop.Post(action);
    }

    private static void Return(byte[] buffer)
    {
        if (buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(buffer);
    }
}
