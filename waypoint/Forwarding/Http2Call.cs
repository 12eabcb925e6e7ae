using System.Buffers;
using Mesh.Waypoint.Http1;

namespace Mesh.Waypoint.Forwarding;

/// <summary>A try over HTTP/2, by the framework's client.</summary>
internal sealed class Http2Call(Http2Channel channel, UpstreamCallContext context) : UpstreamCall
{
    private const int BufferSize = 64 * 1024;

    private readonly FieldList _fields = new();
    private readonly FieldList _trailers = new();
    private CancellationToken _cancellation;
    private Http2Channel.Lease? _lease;
    private BodyContent? _content;
    private HttpResponseMessage? _response;
    private Stream? _body;
    private byte[]? _buffer;
    private bool _entered;

    public override int Status => (int)_response!.StatusCode;

    public override string Reason => string.Empty;

    public override FieldList Fields => _fields;

    public override FieldList Trailers => _trailers;

    public override async Task SendAsync(CancellationToken patience, CancellationToken whole)
    {
        _cancellation = whole;
        _entered = context.Cluster.Circuit.TryEnterRequest(context.Model.Limits);
        if (!_entered)
            throw new UpstreamOverflowException("requests under way");
        _lease = channel.TryUse() ?? throw new UpstreamEndedException(context.Endpoint.Description.Hbone, null);
        _content = context.Body is null ? null : new BodyContent(context.Body);
        _response = await _lease.SendAsync(context.Request.CreateHttp2Message(context, _content), patience);
        Copy(_response.Headers.NonValidated, _fields);
        Copy(_response.Content.Headers.NonValidated, _fields);
    }

    public override async ValueTask<ReadOnlySequence<byte>> ReadBodyAsync()
    {
        _body ??= await _response!.Content.ReadAsStreamAsync(_cancellation);
        _buffer ??= ArrayPool<byte>.Shared.Rent(BufferSize);
        var count = await _body.ReadAsync(_buffer, _cancellation);
        if (count > 0)
            return new ReadOnlySequence<byte>(_buffer, 0, count);
        if (_trailers.Count == 0)
            Copy(_response!.TrailingHeaders.NonValidated, _trailers);
        return default;
    }

    public override async ValueTask DisposeAsync()
    {
        if (_content is not null)
            await _content.StopAsync();
        _response?.Dispose();
        _content?.Dispose();
        _lease?.Dispose();
        if (_buffer is not null)
            ArrayPool<byte>.Shared.Return(_buffer);
        if (_entered)
            context.Cluster.Circuit.LeaveRequest();
        (_content, _response, _lease, _buffer, _entered) = (null, null, null, null, false);
    }

    private static void Copy(System.Net.Http.Headers.HttpHeadersNonValidated from, FieldList to)
    {
        foreach (var (name, values) in from)
        {
            foreach (var value in values)
                to.Add(name, value);
        }
    }
}
