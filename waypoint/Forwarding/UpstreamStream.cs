namespace Mesh.Waypoint.Forwarding;

/// <summary>The connection ended before a byte of the response had come.</summary>
/// <param name="throughTunnel">Through HBONE: then the end may mean the instance behind the far proxy is gone.</param>
internal sealed class UpstreamEndedException(bool throughTunnel, Exception? inner)
    : IOException("the connection ended before the first byte of the response", inner)
{
    public bool ThroughTunnel { get; } = throughTunnel;
}

/// <summary>
/// The stream given to <see cref="SocketsHttpHandler"/>. Its only job: an end of file while a response is owed becomes an exception of ours.
/// Left alone, the handler would silently repeat a GET up to three times on new connections to the same endpoint - that decision belongs to the
/// retry policy, which may choose another endpoint, counts it, and reports it to outlier detection.
/// </summary>
internal sealed class UpstreamStream(Stream inner, bool throughTunnel) : Stream
{
    // A request is being written or was written, and no byte has come back since.
    private volatile bool _responseOwed;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int count;
        try
        {
            count = await inner.ReadAsync(buffer, cancellationToken);
        }
        catch (IOException e) when (_responseOwed)
        {
            throw new UpstreamEndedException(throughTunnel, e);
        }

        if (count > 0)
            _responseOwed = false;
        else if (_responseOwed && buffer.Length > 0)
            throw new UpstreamEndedException(throughTunnel, null);
        return count;
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        _responseOwed = true;
        try
        {
            await inner.WriteAsync(buffer, cancellationToken);
        }
        catch (IOException e)
        {
            throw new UpstreamEndedException(throughTunnel, e);
        }
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    // The handler is used asynchronously only.
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("use ReadAsync");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("use WriteAsync");

    public override void Flush() => throw new NotSupportedException("use FlushAsync");

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
        base.Dispose(disposing);
    }
}
