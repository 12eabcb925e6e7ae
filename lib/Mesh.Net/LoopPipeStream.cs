namespace Mesh.Net;

/// <summary>A <see cref="LoopPipe"/> as a <see cref="Stream"/>, for TLS over it and for whoever knows streams only; callable from any thread.</summary>
public class LoopPipeStream(LoopPipe pipe) : Stream
{
    /// <summary>The same bytes without the copy that a stream's read costs; use one or the other.</summary>
    public LoopPipe Pipe => pipe;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException("a connection has no length");

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException("a connection has no position");
        set => throw new NotSupportedException("a connection has no position");
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var result = await pipe.Input.ReadAsync(cancellationToken);
        if (result.Buffer.IsEmpty)
        {
            pipe.Input.AdvanceTo(result.Buffer.End);
            return 0;
        }

        if (buffer.IsEmpty)
        {
            // A zero-byte read only waits for data.
            pipe.Input.AdvanceTo(result.Buffer.Start);
            return 0;
        }

        var count = (int)Math.Min(result.Buffer.Length, buffer.Length);
        var slice = result.Buffer.Slice(0, count);
        var at = 0;
        foreach (var segment in slice)
        {
            segment.Span.CopyTo(buffer.Span[at..]);
            at += segment.Length;
        }

        pipe.Input.AdvanceTo(slice.End);
        return count;
    }

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var result = await pipe.Output.WriteAsync(buffer, cancellationToken);
        if (result.IsCompleted)
            throw new IOException("the connection no longer takes data: its peer has ended or reset it");
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override async Task FlushAsync(CancellationToken cancellationToken) => await pipe.Output.FlushAsync(cancellationToken);

    /// <summary>Ends our direction; the peer sees the end of the stream.</summary>
    public void EndWrite() => pipe.Output.Complete();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("connections of a loop are read asynchronously");

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("connections of a loop are written asynchronously");

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("a connection cannot seek");

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException("a connection has no length");

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            // An unread rest means that the user gives up: the peer must not take our end for a complete message.
            pipe.Close();
        }

        base.Dispose(disposing);
    }
}
