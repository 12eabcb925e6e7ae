using System.Buffers;
using System.IO.Pipelines;

namespace Mesh.Waypoint.Http1;

/// <summary>Writes a request's body to the connection; returns when all of it is flushed or the try is over.</summary>
internal delegate Task BodySender(PipeWriter output, CancellationToken stop);

/// <summary>What came before the final response head: 100 and 103.</summary>
internal delegate ValueTask InterimHandler(ResponseHead head);

/// <summary>
/// One HTTP/1.1 connection to an application: one request after the other, each full duplex - the response is read while the body is still being
/// sent. Whoever rents it is its only user; it reads ahead while idle, so that a connection that the application closed is never used again.
/// </summary>
internal sealed class Http1Connection : IDisposable
{
    /// <summary>An application that has answered and does not take the rest of the body within this time never will.</summary>
    private static readonly TimeSpan TailPatience = TimeSpan.FromMilliseconds(100);

    private const int Busy = 0;
    private const int Idle = 1;
    private const int Dead = 2;

    private readonly PipeReader _input;
    private readonly PipeWriter _output;
    private readonly Action _close;
    private readonly Action _onReadWhileIdle;
    private readonly Task? _peerEnded;
    private readonly ResponseHeadParser _parser = new();
    private readonly ResponseHead _head = new();
    private readonly BodyDecoder _decoder;

    private int _state;
    private int _closed;
    private Task<ReadResult>? _ahead;

    // The result of the last read that was not given back yet, and what of it is still unused.
    private bool _holding;
    private bool _ended;
    private ReadOnlySequence<byte> _rest;

    private CancellationTokenSource? _stopSending;
    private Task _sending = Task.CompletedTask;
    private bool _isSent;
    private bool _hasHead;
    private Exception? _clientFault;
    private bool _isTunnel;
    private bool _isSpoiled;

    /// <param name="close">Ends the transport; called once.</param>
    /// <param name="peerEnded">Completes when the application has closed, though nobody reads; null: an idle connection has to read ahead to notice it.</param>
    public Http1Connection(PipeReader input, PipeWriter output, Action close, Task? peerEnded = null)
    {
        _input = input;
        _output = output;
        _close = close;
        _onReadWhileIdle = OnReadWhileIdle;
        _decoder = new BodyDecoder(_parser);
        _peerEnded = peerEnded;
        peerEnded?.GetAwaiter().UnsafeOnCompleted(EndIfIdle);
    }

    /// <summary>Called when the connection ends while nobody uses it.</summary>
    public Action<Http1Connection>? OnIdleEnd { get; init; }

    public long OpenedAt { get; init; }

    /// <summary>Its owner's place for it while idle.</summary>
    public object? Home { get; init; }

    public long IdleSince { get; private set; }

    /// <summary>Requests that were started on it.</summary>
    public int Requests { get; private set; }

    public bool IsDead => Volatile.Read(ref _state) == Dead;

    /// <summary>A byte of a response to the current request has come.</summary>
    public bool HasAnswered { get; private set; }

    public FieldList Trailers => _decoder.Trailers;

    /// <summary>Sends a request and reads the head of its final response.</summary>
    /// <param name="writeHead">Writes the request's head into the output.</param>
    /// <param name="body">Null: the request has none.</param>
    /// <param name="toHead">The request's method is HEAD: its response has no body whatever it says.</param>
    /// <returns>The head; valid until the next request.</returns>
    /// <exception cref="IOException">The connection broke, or (<see cref="ProtocolViolationException"/>) what came is not HTTP.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    public async ValueTask<ResponseHead> SendAsync(Action<IBufferWriter<byte>> writeHead, BodySender? body, bool toHead, InterimHandler? interim)
    {
        Requests++;
        HasAnswered = false;
        _hasHead = false;
        _clientFault = null;
        try
        {
            writeHead(_output);
        }
        catch (Exception e)
        {
            // Half a head must not reach the application.
            _output.Complete(e);
            throw;
        }

        _isSent = body is null;
        if (body is null)
        {
            await FlushAsync();
        }
        else
        {
            _stopSending = new CancellationTokenSource();
            _sending = SendBodyAsync(body, _stopSending.Token);
        }

        while (true)
        {
            _head.Clear();
            while (!TryTakeHead())
            {
                Accept(await ReadAsync());
                HasAnswered |= _rest.Length > 0;
            }

            _head.Interpret(toHead);
            if (_head.Status is not (>= 100 and < 200) || _head.Status == 101)
                break;
            if (interim is not null)
                await interim(_head);
        }

        _hasHead = true;
        if (_head.Status == 101)
            _isTunnel = true;
        else
            _decoder.Start(_head.Framing, _head.Length);
        return _head;
    }

    /// <summary>The next piece of the response's body, valid until the next call; empty: complete.</summary>
    public ValueTask<ReadOnlySequence<byte>> ReadBodyAsync()
    {
        if (_holding)
        {
            var piece = _decoder.Next(ref _rest, _ended);
            if (!piece.IsEmpty || _decoder.IsComplete)
                return new ValueTask<ReadOnlySequence<byte>>(piece);
        }
        else if (_decoder.IsComplete)
        {
            return default;
        }

        return ReadMoreBodyAsync();
    }

    /// <summary>After 101: the connection as bytes. What was read already comes first.</summary>
    public (PipeReader Input, PipeWriter Output) TakeStreams()
    {
        GiveBack();
        return (_input, _output);
    }

    /// <summary>Ends waits of the current request: they throw. Any thread.</summary>
    public void Cancel()
    {
        _input.CancelPendingRead();
        _output.CancelPendingFlush();
    }

    /// <summary>Ends the copying of the body; nothing reads it for this try any more.</summary>
    /// <param name="isTail">The client's body was read to its end: only a last flush can be under way, which normally ends by itself.</param>
    public async ValueTask StopSendingAsync(bool isTail)
    {
        if (_stopSending is null)
            return;
        if (!_sending.IsCompleted && isTail)
            await Task.WhenAny(_sending, Task.Delay(TailPatience));
        if (!_sending.IsCompleted)
        {
            // A cancelled flush may cancel the next one of this writer, too: the connection is of no more use.
            _isSpoiled = true;
            await _stopSending.CancelAsync();
        }

        await _sending;
        _stopSending.Dispose();
        _stopSending = null;
    }

    /// <summary>The request is over; false where the connection cannot carry another: close it.</summary>
    public bool TryFinish()
    {
        if (_isSpoiled || !_hasHead || _isTunnel || !_decoder.IsComplete || !_head.KeepsAlive || !_isSent || _ended || _rest.Length > 0)
            return false;
        GiveBack();
        _head.Clear();
        return true;
    }

    /// <summary>Waits for its next user and watches for its end; false where the end is there already.</summary>
    /// <param name="now">A timestamp of the owner's clock.</param>
    public bool TryBecomeIdle(long now)
    {
        IdleSince = now;
        if (_ahead is not null)
        {
            // Rented and not used: it still reads ahead.
            Volatile.Write(ref _state, Idle);
            return !_ahead.IsCompleted || Interlocked.CompareExchange(ref _state, Busy, Idle) != Idle;
        }

        if (_peerEnded is not null)
        {
            if (HasInput())
                return false;
            Volatile.Write(ref _state, Idle);

            // Whoever comes first of this and the callback ends it.
            return !_peerEnded.IsCompleted || Interlocked.CompareExchange(ref _state, Busy, Idle) != Idle;
        }

        var ahead = _input.ReadAsync();
        if (ahead.IsCompleted)
            return false;
        _ahead = ahead.AsTask();
        Volatile.Write(ref _state, Idle);
        _ahead.GetAwaiter().UnsafeOnCompleted(_onReadWhileIdle);
        return true;
    }

    /// <summary>Idle to in use; false where it has ended meanwhile.</summary>
    public bool TryReuse()
    {
        if (Interlocked.CompareExchange(ref _state, Busy, Idle) != Idle)
            return false;
        if (_peerEnded is null || !HasInput())
            return true;
        Dispose();
        OnIdleEnd?.Invoke(this);
        return false;
    }

    /// <summary>Ends it if nobody uses it.</summary>
    public bool TryRetire()
    {
        if (Interlocked.CompareExchange(ref _state, Dead, Idle) != Idle)
            return false;
        Dispose();
        return true;
    }

    public void Dispose()
    {
        Volatile.Write(ref _state, Dead);
        if (Interlocked.Exchange(ref _closed, 1) == 0)
            _close();
    }

    // The application closed, or sent something that nobody asked for: either way this connection is of no more use.
    private void OnReadWhileIdle()
    {
        // A late call belongs to a read that its request has used.
        if (_ahead is not { IsCompleted: true } ahead)
            return;
        _ = ahead.Exception;
        EndIfIdle();
    }

    private void EndIfIdle()
    {
        if (Interlocked.CompareExchange(ref _state, Dead, Idle) != Idle)
            return;
        Dispose();
        OnIdleEnd?.Invoke(this);
    }

    // Bytes that nobody asked for, the end, a failure, or a cancelling that came too late for its request.
    private bool HasInput()
    {
        try
        {
            if (!_input.TryRead(out var early))
                return false;
            _input.AdvanceTo(early.Buffer.Start);
            return true;
        }
        catch (Exception e) when (e is IOException or InvalidOperationException)
        {
            return true;
        }
    }

    private async Task SendBodyAsync(BodySender body, CancellationToken stop)
    {
        try
        {
            await body(_output, stop);
            _isSent = true;
        }
        catch (IOException e) when (e is not Microsoft.AspNetCore.Http.BadHttpRequestException)
        {
            // The application takes no more of it. What it answers, or how its connection ends, is read on the other side.
        }
        catch (OperationCanceledException)
        {
            // The try is over.
        }
        catch (Exception e)
        {
            // The client's body broke: the request cannot be completed.
            _clientFault = e;
            Cancel();
        }
    }

    private bool TryTakeHead()
    {
        if (!_holding)
            return false;
        if (_rest.Length > 0 && _parser.TryReadHead(_rest, _head, out var consumed))
        {
            _rest = _rest.Slice(consumed);
            return true;
        }

        return _ended ? throw new EndOfStreamException("the connection ended before the response head was complete") : false;
    }

    private async ValueTask<ReadOnlySequence<byte>> ReadMoreBodyAsync()
    {
        while (true)
        {
            Accept(await ReadAsync());
            var piece = _decoder.Next(ref _rest, _ended);
            if (!piece.IsEmpty || _decoder.IsComplete)
                return piece;
        }
    }

    private ValueTask<ReadResult> ReadAsync()
    {
        // Everything that is unused was looked at: only more bytes help.
        if (_holding)
            _input.AdvanceTo(_rest.Start, _rest.End);
        _holding = false;
        if (_ahead is not { } ahead)
            return _input.ReadAsync();
        _ahead = null;
        return new ValueTask<ReadResult>(ahead);
    }

    private void Accept(in ReadResult read)
    {
        _holding = true;
        _rest = read.Buffer;
        if (read.IsCanceled)
            throw _clientFault is { } fault ? new ClientFaultException("the client's request body broke", fault) : new OperationCanceledException("the request was cancelled");
        _ended = read.IsCompleted;
    }

    private void GiveBack()
    {
        if (!_holding)
            return;
        _input.AdvanceTo(_rest.Start);
        _holding = false;
        _rest = default;
    }

    // A flush that fails is not the end: the application may have answered before it closed, and how the connection ends is read.
    private ValueTask FlushAsync()
    {
        var flush = _output.FlushAsync();
        if (!flush.IsCompletedSuccessfully)
            return AwaitAsync(flush);
        return flush.Result.IsCanceled ? ValueTask.FromException(new OperationCanceledException("the request was cancelled")) : ValueTask.CompletedTask;

        static async ValueTask AwaitAsync(ValueTask<FlushResult> flush)
        {
            try
            {
                if ((await flush).IsCanceled)
                    throw new OperationCanceledException("the request was cancelled");
            }
            catch (IOException)
            {
                // See above.
            }
        }
    }
}

/// <summary>The request cannot be sent on, and the client is to blame: its body broke, or a header of its has a name that is none.</summary>
internal sealed class ClientFaultException(string message, Exception? inner = null) : Exception(message, inner);
