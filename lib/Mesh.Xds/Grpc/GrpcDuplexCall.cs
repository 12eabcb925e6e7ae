using System.Buffers;
using Google.Protobuf;

namespace Mesh.Xds.Grpc;

/// <summary>One open call: messages out, messages in.</summary>
/// <remarks>One reader and any number of writers at a time. Disposing cancels whatever is still open.</remarks>
public sealed class GrpcDuplexCall<TRequest, TResponse> : IAsyncDisposable
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    private const int ReadSize = 16 * 1024;

    // immutable
    private readonly GrpcChannel _channel;
    private readonly GrpcMethod<TRequest, TResponse> _method;
    private readonly GrpcRequestContent _content;
    private readonly HttpRequestMessage _request;
    private readonly Task<HttpResponseMessage> _sending;
    private readonly CancellationTokenSource? _deadline;
    private readonly CancellationTokenSource _cancellation;
    private readonly CancellationToken _caller;

    // any thread
    private int _disposed;

    // writers, under _writing
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly ArrayBufferWriter<byte> _outgoing = new();

    // reader only
    private readonly GrpcFrameDecoder _decoder;
    private readonly byte[] _received = new byte[ReadSize];
    private ReadOnlyMemory<byte> _unread;
    private HttpResponseMessage? _response;
    private Stream? _body;
    private bool _ended;

    internal GrpcDuplexCall(
        GrpcChannel channel, GrpcMethod<TRequest, TResponse> method, HttpRequestMessage request, GrpcRequestContent content, GrpcCallOptions options, CancellationToken caller)
    {
        _channel = channel;
        _method = method;
        _request = request;
        _content = content;
        _caller = caller;
        _decoder = new GrpcFrameDecoder(channel.Options.MaxReceiveMessageSize);
        _deadline = options.Timeout is { } timeout ? new CancellationTokenSource(timeout, channel.Options.Time) : null;
        _cancellation = CancellationTokenSource.CreateLinkedTokenSource(caller, _deadline?.Token ?? CancellationToken.None);
        _sending = SendAsync();
    }

    /// <summary>Leading metadata; there after <see cref="WaitForHeadersAsync"/>.</summary>
    public GrpcMetadata Headers { get; private set; } = GrpcMetadata.Empty;

    /// <summary>Waits until the server accepted the call. Throws with phase Opening when it did not.</summary>
    public async Task WaitForHeadersAsync()
    {
        if (_response is not null)
            return;
        try
        {
            _response = await _sending;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
        {
            throw Failure(e, GrpcFailurePhase.Opening);
        }

        Headers = GrpcHeaders.ToMetadata(_response.Headers);
        if (GrpcHeaders.Status(_response.Headers) is { IsOk: false } refused)
            throw new GrpcException(refused, GrpcFailurePhase.Opening) { Trailers = Headers };
        if (GrpcHeaders.Unacceptable(_response) is { } unacceptable)
            throw new GrpcException(unacceptable, GrpcFailurePhase.Opening);
        _body = await _response.Content.ReadAsStreamAsync(_cancellation.Token);
    }

    /// <summary>The next message, or null when the server ended the call with OK.</summary>
    public async Task<TResponse?> ReadAsync()
    {
        await WaitForHeadersAsync();
        if (_ended)
            return null;
        try
        {
            while (true)
            {
                while (!_unread.IsEmpty)
                {
                    _unread = _unread[_decoder.Feed(_unread.Span)..];
                    if (!_decoder.IsComplete)
                        continue;
                    var message = Parse();
                    _decoder.Next();
                    return message;
                }

                var count = await _body!.ReadAsync(_received, _cancellation.Token);
                if (count == 0)
                    return End();
                _unread = _received.AsMemory(0, count);
            }
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
        {
            throw Failure(e, GrpcFailurePhase.Transport);
        }
    }

    /// <summary>Sends one message; returns when the transport has taken it (this is the back-pressure).</summary>
    public async Task WriteAsync(TRequest message)
    {
        await _writing.WaitAsync(_caller);
        try
        {
            var stream = await _content.Stream;
            _outgoing.ResetWrittenCount();
            GrpcFrameEncoder.Write(_outgoing, message);
            await stream.WriteAsync(_outgoing.WrittenMemory, _cancellation.Token);
            await stream.FlushAsync(_cancellation.Token);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            throw Failure(e, GrpcFailurePhase.Transport);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>No more requests; the server may still answer.</summary>
    public async Task CompleteRequestsAsync()
    {
        await _writing.WaitAsync(_caller);
        _content.Complete();
        _writing.Release();
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 1)
            return;
        await _cancellation.CancelAsync();
        _content.Complete();
        try
        {
            (await _sending).Dispose();
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
        {
            // Already reported to whoever read or wrote; cancelling an open call also ends here.
        }

        _request.Dispose();
        _decoder.Dispose();
        _cancellation.Dispose();
        _deadline?.Dispose();
    }

    private async Task<HttpResponseMessage> SendAsync()
    {
        try
        {
            return await _channel.SendAsync(_request, _cancellation.Token);
        }
        catch
        {
            _content.Abandon();
            throw;
        }
    }

    private TResponse Parse()
    {
        try
        {
            return _method.ResponseParser.ParseUntrusted(_decoder.Message);
        }
        catch (MalformedMessageException e)
        {
            throw new GrpcException(new GrpcStatus(GrpcStatusCode.Internal, $"{_method.FullName}: the response is {e.Message}"), GrpcFailurePhase.Status, e);
        }
    }

    private TResponse? End()
    {
        _ended = true;
        var trailers = _response!.TrailingHeaders;
        // A trailers-only answer with OK has its status among the headers.
        var status = GrpcHeaders.Status(trailers) ?? GrpcHeaders.Status(_response.Headers)
            ?? new GrpcStatus(GrpcStatusCode.Unknown, "the stream ended without grpc-status");
        if (!status.IsOk)
            throw new GrpcException(status) { Trailers = GrpcHeaders.ToMetadata(trailers) };
        if (_decoder.IsMidMessage)
            throw new GrpcException(GrpcStatusCode.Internal, $"{_method.FullName} ended in the middle of a message");
        return null;
    }

    private GrpcException Failure(Exception e, GrpcFailurePhase phase)
    {
        if (_caller.IsCancellationRequested)
            return new GrpcException(new GrpcStatus(GrpcStatusCode.Cancelled, "the caller cancelled the call"), phase, e);
        if (_deadline is { IsCancellationRequested: true })
            return new GrpcException(new GrpcStatus(GrpcStatusCode.DeadlineExceeded, $"{_method.FullName} did not finish before its deadline"), phase, e);
        if (GrpcHeaders.ResetCode(e) is { } reset)
        {
            // A reset of an established stream is an answer of the peer, with a status of its own; only a lost connection is "transport".
            var answered = phase == GrpcFailurePhase.Transport ? GrpcFailurePhase.Status : phase;
            return new GrpcException(new GrpcStatus(GrpcStatus.FromHttp2Error(reset), $"the peer reset the stream with HTTP/2 error {reset}"), answered, e);
        }

        if (e is OperationCanceledException { InnerException: TimeoutException })
            return new GrpcException(new GrpcStatus(GrpcStatusCode.Unavailable, $"cannot reach {_channel.Options.Address}: no connection within {_channel.Options.ConnectTimeout}"), phase, e);
        // HttpClient reports a reset that arrives while the request is still open as the cancellation of the request's body.
        if (e is OperationCanceledException)
            return new GrpcException(new GrpcStatus(GrpcStatusCode.Cancelled, "the peer reset the stream"), phase == GrpcFailurePhase.Opening ? phase : GrpcFailurePhase.Status, e);
        return phase == GrpcFailurePhase.Opening && e is HttpRequestException opening
            ? new GrpcException(new GrpcStatus(GrpcStatusCode.Unavailable, _channel.Describe(opening)), phase, e)
            : new GrpcException(new GrpcStatus(GrpcStatusCode.Unavailable, $"transport is closing: {e.Message}"), phase, e);
    }
}
