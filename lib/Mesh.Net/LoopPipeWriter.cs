using System.IO.Pipelines;
using System.Threading.Tasks.Sources;
using Mesh.Net.Loop;

namespace Mesh.Net;

/// <summary>Where a <see cref="LoopPipeWriter"/> sends its bytes; called on the loop.</summary>
public interface ILoopPipeSink
{
    /// <summary>Takes what goes without waiting. Fewer than given: <see cref="LoopPipeWriter.OnWritable"/> follows. Negative: the stream takes nothing any more.</summary>
    int Send(ReadOnlySpan<byte> data);

    /// <summary>Everything was sent; our direction ends.</summary>
    void EndSending();

    /// <summary>The user has ended with an error: the peer must not take that for a clean end.</summary>
    void FailSending(Exception reason);
}

/// <summary>
/// A flush on the loop goes straight to the sink and is complete at once where that takes everything; no buffer is kept then. Otherwise the flush
/// waits until all of it is gone: nothing more is collected than was flushed.
/// </summary>
/// <remarks>One writer; other threads may write too, the loop then sends for them. Cancelling is allowed from any thread.</remarks>
public sealed class LoopPipeWriter : PipeWriter, IValueTaskSource<FlushResult>
{
    private const int SmallestBuffer = 4 * 1024;

    private readonly EventLoop _loop;
    private readonly ILoopPipeSink _sink;
    private readonly Action _pump;
    private PipeWait _wait;

    // Of the user; of the loop from a flush until that has handed it over.
    private byte[]? _buffer;
    private int _count;
    private bool _completed;

    // Of the loop: what the sink did not take.
    private ByteQueue _rest;
    private bool _isBroken;
    private bool _ends;
    private bool _hasEnded;

    public LoopPipeWriter(EventLoop loop, ILoopPipeSink sink)
    {
        (_loop, _sink) = (loop, sink);
        _rest = new ByteQueue(loop.Buffers);
        _pump = Pump;
    }

    /// <inheritdoc/>
    public override bool CanGetUnflushedBytes => true;

    /// <inheritdoc/>
    public override long UnflushedBytes => _count;

    /// <summary>Bytes that were flushed and not taken by the sink yet; on the loop.</summary>
    public int Pending => _rest.Length;

    /// <inheritdoc/>
    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (_completed)
            throw new InvalidOperationException("Writing is not allowed after the writer was completed.");
        var needed = _count + Math.Max(1, sizeHint);
        if (_buffer is null)
        {
            _buffer = _loop.Buffers.Rent(Math.Max(SmallestBuffer, needed));
        }
        else if (_buffer.Length < needed)
        {
            var larger = _loop.Buffers.Rent(Math.Max(needed, _buffer.Length * 2));
            _buffer.AsSpan(0, _count).CopyTo(larger);
            _loop.Buffers.Return(_buffer);
            _buffer = larger;
        }

        return _buffer.AsMemory(_count);
    }

    /// <inheritdoc/>
    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <inheritdoc/>
    public override void Advance(int bytes)
    {
        if (bytes < 0 || bytes > (_buffer?.Length ?? 0) - _count)
            throw new InvalidOperationException("More bytes than there is room for.");
        _count += bytes;
    }

    /// <inheritdoc/>
    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<FlushResult>(cancellationToken);
        var inLoop = _loop.InLoop;
        if (inLoop)
        {
            HandOver();
            if (_rest.Length == 0 || _isBroken || _wait.IsCancelled)
                return new ValueTask<FlushResult>(Result());
        }

        _wait.Begin(cancellationToken, static writer => ((LoopPipeWriter)writer!).OnToken(), this);
        var token = _wait.Token;
        if (!inLoop || _wait.IsCancelled)
            _loop.Post(_pump);
        return new ValueTask<FlushResult>(this, token);
    }

    /// <inheritdoc/>
    public override void CancelPendingFlush()
    {
        _wait.Cancel();
        Wake();
    }

    /// <summary>Ends our direction after everything that was written, or at once and as a failure where <paramref name="exception"/> says so.</summary>
    public override void Complete(Exception? exception = null)
    {
        if (_completed)
            return;
        _completed = true;
        if (exception is not null)
            Run(() => Fail(exception));
        else
            Run(End);
    }

    /// <summary>Ends our direction after everything that was flushed; what was not is dropped. Any thread.</summary>
    public void CompleteFlushed()
    {
        if (_completed)
            return;
        _completed = true;
        Run(() =>
        {
            GiveBack();
            End();
        });
    }

    /// <summary>Nothing more is sent; what was not flushed is dropped. Any thread.</summary>
    public void Drop()
    {
        _completed = true;
        Run(() =>
        {
            Break();
            GiveBack();
        });
    }

    /// <summary>The sink takes bytes again. On the loop.</summary>
    public void OnWritable() => Pump();

    /// <summary>The stream takes nothing any more. On the loop. A user on another thread may be writing at this moment: its buffer stays its own.</summary>
    public void Break()
    {
        _isBroken = true;
        _rest.Release();
        _wait.Complete();
    }

    /// <summary>Another sends from now on what the sink did not take.</summary>
    internal void MoveRestTo(SocketOutput output)
    {
        if (_rest.Length > 0)
            output.Append(_rest.Pending);
        Break();
    }

    FlushResult IValueTaskSource<FlushResult>.GetResult(short token)
    {
        _wait.End(token);
        return Result();
    }

    ValueTaskSourceStatus IValueTaskSource<FlushResult>.GetStatus(short token) => _wait.Status(token);

    void IValueTaskSource<FlushResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wait.OnCompleted(continuation, state, token, flags);

    private FlushResult Result() => new(_wait.TakeCancelled(), _isBroken);

    private void Run(Action action)
    {
        if (_loop.InLoop)
            action();
        else
            _loop.Post(action);
    }

    private void End()
    {
        _ends = true;
        HandOver();
        Pump();
    }

    private void Fail(Exception exception)
    {
        if (_isBroken)
            return;
        _sink.FailSending(exception);
        Break();
    }

    private void Pump()
    {
        if (_wait.IsWaiting)
            HandOver();
        SendRest();
        if (_rest.Length == 0 && _ends && !_hasEnded && !_isBroken)
        {
            _hasEnded = true;
            _sink.EndSending();
        }

        if (_wait.IsWaiting && (_rest.Length == 0 || _isBroken || _wait.IsCancelled))
            _wait.Complete();
    }

    // Afterwards the buffer is the user's again: what the sink did not take is kept apart.
    private void HandOver()
    {
        if (_count == 0)
        {
            GiveBack();
            return;
        }

        var data = _buffer.AsSpan(0, _count);
        if (!_isBroken && _rest.Length == 0)
        {
            var sent = _sink.Send(data);
            if (sent < 0)
                _isBroken = true;
            else
                data = data[sent..];
        }

        if (!_isBroken)
            _rest.Append(data);
        GiveBack();
    }

    private void SendRest()
    {
        while (_rest.Length > 0 && !_isBroken)
        {
            var sent = _sink.Send(_rest.Pending);
            if (sent < 0)
            {
                _isBroken = true;
                _rest.Release();
            }
            else if (sent == 0)
            {
                return;
            }
            else
            {
                _rest.Advance(sent);
            }
        }
    }

    private void GiveBack()
    {
        if (_buffer is { } buffer)
            _loop.Buffers.Return(buffer);
        _buffer = null;
        _count = 0;
    }

    private void OnToken()
    {
        _wait.FireToken();
        Wake();
    }

    private void Wake()
    {
        if (_loop.InLoop)
            Pump();
        else if (_wait.IsWaiting)
            _loop.Post(_pump);
    }
}
