namespace Mesh.Hbone;

/// <summary>A tunnel as a <see cref="Stream"/>, for <c>SocketsHttpHandler</c> and for TLS inside a tunnel; callable from any thread.</summary>
public sealed class TunnelStream(TunnelPipe pipe) : Stream
{
    /// <summary>The same tunnel without the copy that a stream's read costs; use one or the other.</summary>
    public TunnelPipe Pipe => pipe;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException("a tunnel has no length");

    public override long Position
    {
        get => throw new NotSupportedException("a tunnel has no position");
        set => throw new NotSupportedException("a tunnel has no position");
    }

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

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var result = await pipe.Output.WriteAsync(buffer, cancellationToken);
        if (result.IsCompleted)
            throw new IOException("the tunnel no longer takes data: its peer has ended or reset it");
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async Task FlushAsync(CancellationToken cancellationToken) => await pipe.Output.FlushAsync(cancellationToken);

    /// <summary>Ends our direction; the peer sees END_STREAM.</summary>
    public void EndWrite() => pipe.Output.Complete();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("tunnels are read asynchronously");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("tunnels are written asynchronously");

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("a tunnel cannot seek");

    public override void SetLength(long value) => throw new NotSupportedException("a tunnel has no length");

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
