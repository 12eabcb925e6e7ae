using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mesh.Waypoint.Forwarding;

/// <summary>
/// The request body: streamed to the first try as it arrives and copied beside it, so that a later try can send it again. Above the limit the
/// copy is given up and with it retries; the request itself goes on (reference 7.8). One try reads at a time, and one that ends while it waits for
/// the client leaves the reader as the next one needs it.
/// </summary>
internal sealed class ReplayableBody(PipeReader reader, bool hasBody, bool keepCopy, int limit = ReplayableBody.DefaultLimit) : IDisposable
{
    /// <summary>Envoy's connection buffer limit, which is also what a retry can replay.</summary>
    public const int DefaultLimit = 1024 * 1024;

    private byte[] _copy = [];
    private int _copied;
    private bool _keepCopy = keepCopy && hasBody;
    private bool _readAnything;
    private volatile bool _isLeft;
    private Action? _onCompleted;

    public bool HasBody => hasBody;

    /// <summary>The client's body has arrived completely.</summary>
    public bool IsComplete { get; private set; } = !hasBody;

    public long BytesReceived { get; private set; }

    /// <summary>What follows the body; there when it is complete.</summary>
    public IHeaderDictionary? Trailers => TrailersOf is { Available: true } trailers ? trailers.Trailers : null;

    /// <summary>Null: no trailers.</summary>
    public IHttpRequestTrailersFeature? TrailersOf { get; init; }

    /// <summary>Told of everything that arrives.</summary>
    public StreamWatch? Watch { get; init; }

    /// <summary>What was kept; everything where <see cref="IsComplete"/> and <see cref="CanReplay"/>.</summary>
    public ReadOnlySequence<byte> Copy => new(_copy, 0, _copied);

    /// <summary>A new try can send everything from the start.</summary>
    public bool CanReplay => !hasBody || !_readAnything || _keepCopy;

    /// <summary>To be called once, when the client's request is complete; set before the first try.</summary>
    public void OnCompleted(Action action) => _onCompleted = action;

    /// <summary>All of it: what earlier tries have read, then what still arrives.</summary>
    public async Task CopyToAsync(IBodySink sink, CancellationToken cancellation)
    {
        // A try over HTTP/2 may begin again on another connection: never with half a body.
        if (!CanReplay)
            throw new IOException("the request body was sent once and was too long to be kept");

        // 1. What earlier tries have read already.
        if (_copied > 0)
            await sink.WriteAsync(Copy, cancellation);

        // 2. What still arrives; each pause of the client's is a flush. Kestrel's reader cannot be read again after a token has ended a read of it: the
        // end of the try is a result of the read instead. One that came too late for its own try is an empty piece for the next.
        await using var ending = cancellation.UnsafeRegister(static r => ((PipeReader)r!).CancelPendingRead(), reader);
        while (!IsComplete)
        {
            if (!reader.TryRead(out var result))
            {
                await sink.FlushAsync(cancellation);
                result = await reader.ReadAsync(CancellationToken.None);
            }

            if (result.IsCanceled && cancellation.IsCancellationRequested)
            {
                if (!_isLeft)
                    reader.AdvanceTo(result.Buffer.Start);
                throw new OperationCanceledException("the try is over");
            }

            foreach (var segment in result.Buffer)
                Remember(segment.Span);
            BytesReceived += result.Buffer.Length;
            Watch?.Touch();
            try
            {
                await sink.WriteAsync(result.Buffer, cancellation);
            }
            finally
            {
                reader.AdvanceTo(result.Buffer.End);
            }

            if (result.IsCompleted)
                Complete();
        }

        await sink.EndAsync(cancellation);
    }

    /// <summary>
    /// No other try comes: a read that waits for the client is given up for good. Kestrel finds it open and ends an HTTP/1.1 connection behind the
    /// answer, instead of waiting for the rest of a request that is nobody's.
    /// </summary>
    public void Leave() => _isLeft = true;

    public void Dispose()
    {
        _keepCopy = false;
        Release();
    }

    private void Complete()
    {
        IsComplete = true;
        _onCompleted?.Invoke();
    }

    private void Remember(ReadOnlySpan<byte> data)
    {
        if (data.Length > 0)
            _readAnything = true;
        if (!_keepCopy)
            return;
        if (_copied + data.Length > limit)
        {
            _keepCopy = false;
            Release();
            return;
        }

        if (_copied + data.Length > _copy.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Min(limit, Math.Max(4096, (_copied + data.Length) * 2)));
            _copy.AsSpan(0, _copied).CopyTo(larger);
            Release(keepCount: true);
            _copy = larger;
        }

        data.CopyTo(_copy.AsSpan(_copied));
        _copied += data.Length;
    }

    private void Release(bool keepCount = false)
    {
        if (_copy.Length > 0)
            ArrayPool<byte>.Shared.Return(_copy);
        _copy = [];
        if (!keepCount)
            _copied = 0;
    }
}
