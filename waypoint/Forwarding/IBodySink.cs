using System.Buffers;
using System.IO.Pipelines;
using Mesh.Waypoint.Http2;

namespace Mesh.Waypoint.Forwarding;

/// <summary>Where a request body goes, framed as the upstream's protocol wants it.</summary>
internal interface IBodySink
{
    /// <exception cref="IOException">The application takes no more.</exception>
    ValueTask WriteAsync(ReadOnlySequence<byte> data, CancellationToken cancellation);

    /// <summary>What was written has to go out: nothing more is there at the moment.</summary>
    ValueTask FlushAsync(CancellationToken cancellation);

    /// <summary>The body is complete.</summary>
    ValueTask EndAsync(CancellationToken cancellation);
}

/// <summary>HTTP/1.1, in the client's own framing (reference 7.2): its Content-Length travels as a header, without one the body is chunked.</summary>
internal sealed class Http1BodySink(PipeWriter output, bool chunked) : IBodySink
{
    // More than this waits for the connection before more is read from the client.
    private const int FlushThreshold = 64 * 1024;

    private long _unflushed;

    public ValueTask WriteAsync(ReadOnlySequence<byte> data, CancellationToken cancellation)
    {
        if (data.IsEmpty)
            return ValueTask.CompletedTask;
        if (chunked)
        {
            var span = output.GetSpan(18);
            data.Length.TryFormat(span, out var length, "x", System.Globalization.CultureInfo.InvariantCulture);
            "\r\n"u8.CopyTo(span[length..]);
            output.Advance(length + 2);
        }

        foreach (var segment in data)
            output.Write(segment.Span);
        if (chunked)
            output.Write("\r\n"u8);
        _unflushed += data.Length;
        return _unflushed >= FlushThreshold ? FlushAsync(cancellation) : ValueTask.CompletedTask;
    }

    public async ValueTask FlushAsync(CancellationToken cancellation)
    {
        _unflushed = 0;
        var flushed = await output.FlushAsync(cancellation);
        if (flushed.IsCanceled)
            throw new OperationCanceledException("the try is over");
        if (flushed.IsCompleted)
            throw new IOException("the application takes no more data");
    }

    public ValueTask EndAsync(CancellationToken cancellation)
    {
        if (chunked)
            output.Write("0\r\n\r\n"u8);
        return FlushAsync(cancellation);
    }
}

/// <summary>HTTP/2, which frames by itself; what an iteration of the loop writes goes out together.</summary>
internal sealed class Http2BodySink(Http2ClientStream stream, ReplayableBody body) : IBodySink
{
    // The stream ends its waits itself.
    public ValueTask WriteAsync(ReadOnlySequence<byte> data, CancellationToken cancellation) => stream.WriteAsync(data);

    public ValueTask FlushAsync(CancellationToken cancellation) => ValueTask.CompletedTask;

    public ValueTask EndAsync(CancellationToken cancellation)
    {
        stream.End(Http2RequestHead.Trailers(body.Trailers));
        return ValueTask.CompletedTask;
    }
}
