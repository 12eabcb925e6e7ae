using System.Buffers;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;

namespace Mesh.Xds.Grpc;

/// <summary>The server's end of a call with messages in both directions.</summary>
/// <remarks>One reader and one writer at a time. A write returns when the transport has room: a slow client blocks only its own writer.</remarks>
public sealed class GrpcServerStream<TRequest, TResponse> : GrpcServerCall
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    private readonly GrpcMethod<TRequest, TResponse> _method;
    private readonly GrpcFrameDecoder _decoder;

    internal GrpcServerStream(HttpContext http, GrpcMethod<TRequest, TResponse> method, int maxMessageSize, CancellationToken cancellation)
        : base(http, method.FullName, cancellation)
    {
        _method = method;
        _decoder = new GrpcFrameDecoder(maxMessageSize);
    }

    /// <summary>The next request, or null when the client will send no more.</summary>
    public async ValueTask<TRequest?> ReadAsync()
    {
        var reader = Http.Request.BodyReader;
        while (true)
        {
            var result = await reader.ReadAsync(Cancellation);
            var buffer = result.Buffer;
            var consumed = buffer.Start;
            TRequest? request = null;
            try
            {
                foreach (var segment in buffer)
                {
                    var left = segment.Span;
                    while (!left.IsEmpty && request is null)
                    {
                        var taken = _decoder.Feed(left);
                        left = left[taken..];
                        consumed = buffer.GetPosition(taken, consumed);
                        if (_decoder.IsComplete)
                            request = Parse();
                    }

                    if (request is not null)
                        break;
                }
            }
            finally
            {
                reader.AdvanceTo(consumed);
            }

            if (request is not null)
                return request;
            if (!result.IsCompleted)
                continue;
            return _decoder.IsMidMessage ? throw new GrpcException(GrpcStatusCode.InvalidArgument, "the request stream ended in the middle of a message") : null;
        }
    }

    public async ValueTask WriteAsync(TResponse message)
    {
        await SendHeadersAsync();
        GrpcFrameEncoder.Write(Http.Response.BodyWriter, message);
        await FlushAsync();
    }

    /// <summary>Writes a message that exists already encoded, piece by piece; nothing is copied together. The pieces must add up to <paramref name="length"/>.</summary>
    public async ValueTask WriteEncodedAsync(int length, IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        // A full sync may be a hundred megabytes: hand it over in portions so that the transport's back-pressure holds the memory down.
        const int Portion = 64 * 1024;
        await SendHeadersAsync();
        var writer = Http.Response.BodyWriter;
        GrpcFrameEncoder.WritePrefix(writer, length);
        var unflushed = 0;
        foreach (var piece in pieces)
        {
            for (var rest = piece; !rest.IsEmpty;)
            {
                var part = rest[..Math.Min(rest.Length, Portion)];
                writer.Write(part.Span);
                rest = rest[part.Length..];
                unflushed += part.Length;
                if (unflushed < Portion)
                    continue;
                unflushed = 0;
                await FlushAsync();
            }
        }

        await FlushAsync();
    }

    /// <summary>Writes a message that exists already encoded.</summary>
    public async ValueTask WriteEncodedAsync(ReadOnlyMemory<byte> message)
    {
        await SendHeadersAsync();
        var writer = Http.Response.BodyWriter;
        GrpcFrameEncoder.WritePrefix(writer, message.Length);
        writer.Write(message.Span);
        await FlushAsync();
    }

    internal void Release() => _decoder.Dispose();

    private async ValueTask FlushAsync()
    {
        var result = await Http.Response.BodyWriter.FlushAsync(Cancellation);
        if (result.IsCompleted || result.IsCanceled)
            throw new OperationCanceledException("the client is gone", Cancellation);
    }

    private TRequest Parse()
    {
        try
        {
            return _method.RequestParser.ParseUntrusted(_decoder.Message);
        }
        catch (MalformedMessageException e)
        {
            throw new GrpcException(GrpcStatusCode.Internal, $"the request is {e.Message}");
        }
        finally
        {
            _decoder.Next();
        }
    }
}
