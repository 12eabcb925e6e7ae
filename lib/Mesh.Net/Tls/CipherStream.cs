using System.Threading.Tasks.Sources;

namespace Mesh.Net.Tls;

/// <summary>The stream beneath <see cref="System.Net.Security.SslStream"/>: what it reads and writes is ciphertext of one connection on a loop.</summary>
/// <remarks>
/// Reads complete at once or, by a value task source, inline on the loop when bytes are there; nothing is allocated. A read of zero bytes waits without
/// a buffer: SslStream issues one before it rents its own, so an idle connection owns none. Writes are appended to the output and always complete at
/// once: back-pressure is the business of the transport above. One read at a time; loop thread only.
/// </remarks>
internal abstract class CipherStream : Stream, IValueTaskSource<int>
{
    private Action<object?>? _continuation;
    private object? _state;
    private Memory<byte> _wanted;
    private int _result;
    private Exception? _failure;
    private short _version;
    private bool _waiting;

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException("a connection has no length");

    public override long Position
    {
        get => throw new NotSupportedException("a connection has no position");
        set => throw new NotSupportedException("a connection has no position");
    }

    /// <summary>SslStream waits for bytes.</summary>
    internal bool IsReadWaiting => _waiting;

    /// <summary>The peer's ciphertext has ended: what SslStream then calls an end was without close_notify.</summary>
    internal bool EndSeen { get; private protected set; }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_waiting)
            throw new InvalidOperationException("One read at a time.");
        switch (TryRead(buffer, out var count))
        {
            case IoStatus.Done:
                return new ValueTask<int>(count);
            case IoStatus.EndOfStream:
                EndSeen = true;
                return new ValueTask<int>(0);
            case IoStatus.Failed:
                return ValueTask.FromException<int>(ReadFailure());
            default:
                _wanted = buffer;
                _waiting = true;
                return new ValueTask<int>(this, ++_version);
        }
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Append(buffer.Span);
        return default;
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        Append(buffer.AsSpan(offset, count));
        return Task.CompletedTask;
    }

    // SslStream sends the alert for a refused certificate with the synchronous calls.
    public override void Write(byte[] buffer, int offset, int count) => Append(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer) => Append(buffer);

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("a loop never blocks; use ReadAsync");

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("a connection cannot be rewound");

    public override void SetLength(long value) => throw new NotSupportedException("a connection has no length");

    int IValueTaskSource<int>.GetResult(short token)
    {
        Check(token);
        if (_waiting)
            throw new InvalidOperationException("The read has not ended.");
        _version++;
        if (_failure is not { } failure)
            return _result;
        _failure = null;
        throw failure;
    }

    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token)
    {
        Check(token);
        if (_waiting)
            return ValueTaskSourceStatus.Pending;
        return _failure is null ? ValueTaskSourceStatus.Succeeded : ValueTaskSourceStatus.Faulted;
    }

    void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        Check(token);
        _continuation = continuation;
        _state = state;
    }

    /// <summary>Bytes may have come: completes a waiting read if so. The continuation runs SslStream and what waits for it, inline.</summary>
    internal void Pulse()
    {
        if (!_waiting)
            return;
        switch (TryRead(_wanted, out var count))
        {
            case IoStatus.Done:
                Complete(count, null);
                break;
            case IoStatus.EndOfStream:
                EndSeen = true;
                Complete(0, null);
                break;
            case IoStatus.Failed:
                Complete(0, ReadFailure());
                break;
        }
    }

    /// <summary>Ends a waiting read: the deadline passed or the connection was closed.</summary>
    internal void FailRead(Exception failure)
    {
        if (_waiting)
            Complete(0, failure);
    }

    /// <summary>Ends a waiting read as if the peer had ended.</summary>
    private protected void EndRead() => Complete(0, null);

    private protected abstract IoStatus TryRead(Memory<byte> buffer, out int count);

    private protected abstract Exception ReadFailure();

    private protected abstract void Append(ReadOnlySpan<byte> ciphertext);

    private void Complete(int result, Exception? failure)
    {
        _waiting = false;
        _wanted = default;
        _result = result;
        _failure = failure;
        var continuation = _continuation;
        var state = _state;
        _continuation = null;
        _state = null;
        continuation?.Invoke(state);
    }

    private void Check(short token)
    {
        if (token != _version)
            throw new InvalidOperationException("The read was awaited twice.");
    }
}
