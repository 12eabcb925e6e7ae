using System.Buffers;
using System.IO.Pipelines;
using System.Threading.Tasks.Sources;
using Mesh.Net.Loop;

namespace Mesh.Net;

/// <summary>Where a <see cref="LoopPipeReader"/> gets its bytes; called on the loop.</summary>
public interface ILoopPipeSource
{
    /// <summary>A receive may give something: without that no buffer is taken.</summary>
    bool MayReceive { get; }

    /// <summary>Receives what is there, without waiting.</summary>
    IoStatus Receive(Span<byte> room, out int count);

    /// <summary>Why <see cref="Receive"/> gave <see cref="IoStatus.Failed"/>.</summary>
    Exception Failure { get; }
}

/// <summary>
/// Reads when it is asked to and not before, so a slow reader slows its peer down by the protocol beneath. While nothing unread is there it has no buffer.
/// On the loop a read that finds bytes is complete at once; the bytes are one segment.
/// </summary>
/// <remarks>One reader; other threads may read too, the loop then receives for them. Cancelling is allowed from any thread.</remarks>
public sealed class LoopPipeReader : PipeReader, IValueTaskSource<ReadResult>, IResumable
{
    private const int SmallestBuffer = 4 * 1024;
    private const int LargestBuffer = 64 * 1024;

    private readonly EventLoop _loop;
    private readonly ILoopPipeSource _source;
    private readonly Action _pump;
    private readonly PipeSegment _segment = new();
    private PipeWait _wait;

    // Of the user between a completed read and the next one, of the loop while a read waits.
    private byte[]? _buffer;
    private int _start;
    private int _end;
    private int _examined;
    private int _nextSize = SmallestBuffer;
    private bool _ended;
    private bool _completed;
    private Exception? _failure;
    private long _turn;
    private int _budget;

    public LoopPipeReader(EventLoop loop, ILoopPipeSource source)
    {
        (_loop, _source) = (loop, source);
        _pump = Pump;
    }

    /// <summary>Its user reads no more.</summary>
    public bool IsCompleted => Volatile.Read(ref _completed);

    bool IResumable.IsResumeQueued { get; set; }

    private bool HasNews => _end > _examined || _ended || _failure is not null;

    /// <inheritdoc/>
    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        ThrowIfCompleted();
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<ReadResult>(cancellationToken);
        if (_wait.IsCancelled || HasNews)
            return Now();
        var inLoop = _loop.InLoop;
        var hasTurn = inLoop && HasTurn();
        if (hasTurn && Receive())
            return Now();
        _wait.Begin(cancellationToken, static reader => ((LoopPipeReader)reader!).OnToken(), this);
        var token = _wait.Token;
        if (!inLoop)
            _loop.Post(_pump);
        else if (!hasTurn || _wait.IsCancelled)
            _loop.RunNextIteration(this);
        return new ValueTask<ReadResult>(this, token);
    }

    /// <inheritdoc/>
    public override bool TryRead(out ReadResult result)
    {
        ThrowIfCompleted();
        if (!_wait.IsCancelled && !HasNews && !(_loop.InLoop && Receive()))
        {
            result = default;
            return false;
        }

        result = Take();
        return true;
    }

    /// <inheritdoc/>
    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    /// <inheritdoc/>
    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        // The positions of an empty result belong to no buffer.
        if (!ReferenceEquals(consumed.GetObject(), _segment) || _buffer is null)
            return;
        var start = consumed.GetInteger();
        if (start < _start || start > _end)
            throw new InvalidOperationException("The consumed position is not within the bytes that were read.");
        _start = start;
        _examined = Math.Clamp(ReferenceEquals(examined.GetObject(), _segment) ? examined.GetInteger() : start, start, _end);
        if (_start == _end)
            GiveBack();
    }

    /// <inheritdoc/>
    public override void CancelPendingRead()
    {
        _wait.Cancel();
        Wake();
    }

    /// <inheritdoc/>
    public override void Complete(Exception? exception = null)
    {
        if (_completed)
            return;
        _completed = true;
        if (!_wait.IsWaiting)
            GiveBack();
    }

    /// <summary>The source may have something: bytes, the end or a failure. On the loop.</summary>
    public void Pump()
    {
        if (_wait.IsWaiting && (_wait.IsCancelled || HasNews || Receive()))
            _wait.Complete();
    }

    /// <summary>Bytes that came unasked. On the loop. True: a waiting reader has them; false: the source keeps them until it is asked.</summary>
    public bool TryTake(ReadOnlySpan<byte> data)
    {
        if (!_wait.IsWaiting || _wait.IsCancelled || HasNews)
            return false;
        MakeRoom(data.Length);
        data.CopyTo(_buffer.AsSpan(_end));
        _end += data.Length;
        _wait.Complete();
        return true;
    }

    void IResumable.Resume() => Pump();

    ReadResult IValueTaskSource<ReadResult>.GetResult(short token)
    {
        _wait.End(token);
        return Take();
    }

    ValueTaskSourceStatus IValueTaskSource<ReadResult>.GetStatus(short token) => _wait.Status(token);

    void IValueTaskSource<ReadResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wait.OnCompleted(continuation, state, token, flags);

    private ValueTask<ReadResult> Now()
    {
        try
        {
            return new ValueTask<ReadResult>(Take());
        }
        catch (Exception e)
        {
            return ValueTask.FromException<ReadResult>(e);
        }
    }

    private ReadResult Take()
    {
        var cancelled = _wait.TakeCancelled();
        if (_failure is { } failure && !cancelled && _end == _examined)
            throw failure;
        return new ReadResult(_end > _start ? _segment.Of(_buffer!, _start, _end) : ReadOnlySequence<byte>.Empty, cancelled, _ended);
    }

    // A peer that sends faster than it is read must not keep the others of the loop waiting.
    private bool HasTurn()
    {
        if (_turn != _loop.Now)
            (_turn, _budget) = (_loop.Now, _loop.Options.BytesPerIteration);
        return _budget > 0;
    }

    private bool Receive()
    {
        if (!_source.MayReceive)
            return false;
        MakeRoom(1);
        var room = _buffer.AsSpan(_end);
        switch (_source.Receive(room, out var count))
        {
            case IoStatus.Done:
                _end += count;
                _budget -= count;
                if (count == room.Length)
                    _nextSize = Math.Min(LargestBuffer, _buffer!.Length * 4);
                else if (count < SmallestBuffer)
                    _nextSize = SmallestBuffer;
                return count > 0;
            case IoStatus.EndOfStream:
                _ended = true;
                break;
            case IoStatus.Failed:
                _failure = _source.Failure;
                break;
            default:
                if (_start == _end)
                    GiveBack();
                return false;
        }

        if (_start == _end)
            GiveBack();
        return true;
    }

    private void MakeRoom(int count)
    {
        if (_buffer is null)
        {
            _buffer = _loop.Buffers.Rent(Math.Max(_nextSize, count));
            return;
        }

        if (_buffer.Length - _end >= count)
            return;
        var unread = _buffer.AsSpan(_start, _end - _start);
        if (_start >= _buffer.Length / 2 && _buffer.Length - unread.Length >= count)
        {
            unread.CopyTo(_buffer);
        }
        else
        {
            var larger = _loop.Buffers.Rent(Math.Max(_buffer.Length * 2, unread.Length + count));
            unread.CopyTo(larger);
            _loop.Buffers.Return(_buffer);
            _buffer = larger;
        }

        (_examined, _end, _start) = (_examined - _start, unread.Length, 0);
    }

    private void GiveBack()
    {
        if (_buffer is { } buffer)
            _loop.Buffers.Return(buffer);
        _buffer = null;
        _segment.Clear();
        _start = _end = _examined = 0;
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

    private void ThrowIfCompleted()
    {
        if (_completed)
            throw new InvalidOperationException("Reading is not allowed after the reader was completed.");
    }
}
