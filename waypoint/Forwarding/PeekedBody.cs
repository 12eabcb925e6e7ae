using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mesh.Waypoint.Forwarding;

/// <summary>
/// The start of a request body, read ahead of forwarding. The request gets a reader in its place that gives these bytes first, so whoever forwards
/// it sees the whole body.
/// </summary>
internal sealed class PeekedBody : PipeReader, IRequestBodyPipeFeature
{
    private readonly PipeReader _rest;
    private ReadOnlySequence<byte> _start;
    private bool _isReadingStart;

    private PeekedBody(PipeReader rest, byte[] start, bool isComplete)
    {
        _rest = rest;
        Bytes = start;
        _start = new ReadOnlySequence<byte>(start);
        IsComplete = isComplete;
    }

    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>The body ends with <see cref="Bytes"/>.</summary>
    public bool IsComplete { get; }

    PipeReader IRequestBodyPipeFeature.Reader => this;

    /// <summary>Reads until the body ends or more than <paramref name="limit"/> bytes are there.</summary>
    /// <returns>Null: the request has no body.</returns>
    public static async ValueTask<PeekedBody?> ReadAsync(HttpContext http, int limit, CancellationToken cancellation)
    {
        if (http.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody != true)
            return null;
        var reader = http.Request.BodyReader;
        var bytes = new ArrayBufferWriter<byte>();
        var isComplete = false;
        while (!isComplete && bytes.WrittenCount <= limit)
        {
            var read = await reader.ReadAsync(cancellation);
            foreach (var segment in read.Buffer)
                bytes.Write(segment.Span);
            reader.AdvanceTo(read.Buffer.End);
            isComplete = read.IsCompleted;
        }

        var body = new PeekedBody(reader, bytes.WrittenSpan.ToArray(), isComplete);
        http.Features.Set<IRequestBodyPipeFeature>(body);
        return body;
    }

    public override bool TryRead(out ReadResult result)
    {
        _isReadingStart = !_start.IsEmpty || IsComplete;
        if (!_isReadingStart)
            return _rest.TryRead(out result);
        result = new ReadResult(_start, isCanceled: false, IsComplete);
        return true;
    }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) =>
        TryRead(out var result) ? new ValueTask<ReadResult>(result) : _rest.ReadAsync(cancellationToken);

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        if (_isReadingStart)
            _start = _start.Slice(consumed);
        else
            _rest.AdvanceTo(consumed, examined);
    }

    public override void CancelPendingRead() => _rest.CancelPendingRead();

    public override void Complete(Exception? exception = null) => _rest.Complete(exception);
}
