using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;

namespace Mesh.Kubernetes.Watching;

/// <summary>How long a watch may run and be silent.</summary>
public sealed record WatchLimits
{
    /// <summary>What the server is asked for; it ends the stream itself then.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(7);

    /// <summary>A stream that says nothing for so long is opened anew from where it was. Bookmarks come about once a minute, but are not guaranteed: reopening is no failure.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>No event is larger; etcd's own limit is 1.5 MB.</summary>
    public int LongestEvent { get; init; } = 16 << 20;
}

/// <summary>
/// Events of one watch request: one JSON object per line, chunk boundaries mean nothing. Ends without an event when the server's time is up, when
/// the connection goes away cleanly, or after silence; the caller opens the next one from the last resourceVersion it saw.
/// </summary>
public sealed class WatchStream : IAsyncDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly PipeReader _reader;
    private readonly WatchLimits _limits;
    private readonly TimeProvider _time;
    private readonly string _subject;
    private readonly Func<Exception, KubeException> _lost;
    private byte[] _line = [];

    private WatchStream(HttpResponseMessage response, Stream body, WatchLimits limits, KubeClient client, string subject)
    {
        _response = response;
        _reader = PipeReader.Create(body, new StreamPipeReaderOptions(bufferSize: 16 << 10));
        _limits = limits;
        _time = client.Time;
        _subject = subject;
        _lost = e => client.Unreachable(subject, e);
    }

    /// <param name="resourceVersion">What happened after it is told; null: everything that is there comes first, as a streaming list.</param>
    public static async Task<WatchStream> OpenAsync(
        KubeClient client, ResourceType type, string? ns, Selection selection, string? resourceVersion, WatchLimits limits, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(type);
        ArgumentNullException.ThrowIfNull(selection);
        ArgumentNullException.ThrowIfNull(limits);
        var from = resourceVersion is null ? "sendInitialEvents=true&resourceVersionMatch=NotOlderThan" : $"resourceVersion={Uri.EscapeDataString(resourceVersion)}";
        var query = new List<string> { "watch=true", "allowWatchBookmarks=true", from, $"timeoutSeconds={(int)Math.Ceiling(limits.Timeout.TotalSeconds)}" };
        selection.AppendTo(query);
        var path = KubeClient.WithQuery(type.CollectionPath(ns), query);
        var subject = $"GET {path}";
        using var opening = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var timer = client.Time.CreateTimer(s => ((CancellationTokenSource)s!).Cancel(), opening, TimeSpan.FromSeconds(30), Timeout.InfiniteTimeSpan);
        try
        {
            var response = await client.OpenAsync(() =>
            {
                var request = new HttpRequestMessage(HttpMethod.Get, path);
                if (selection.MetadataOnly)
                    request.Headers.TryAddWithoutValidation("Accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
                return request;
            }, null, opening.Token);
            return new WatchStream(response, await response.Content.ReadAsStreamAsync(cancellation), limits, client, subject);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new KubeException(KubeFailure.Unreachable, $"{subject}: no answer within 30 s", e);
        }
    }

    /// <summary>Null: the stream ended in good order. An ERROR event is thrown as what it says.</summary>
    /// <param name="patience">Another limit of silence than that of the stream.</param>
    public async ValueTask<WatchEvent?> NextAsync(CancellationToken cancellation, TimeSpan? patience = null)
    {
        while (true)
        {
            var result = await ReadAsync(patience ?? _limits.Silence, cancellation);
            if (result is not { } read)
                return null;
            var buffer = read.Buffer;
            if (buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = Copy(buffer.Slice(0, end));
                _reader.AdvanceTo(buffer.GetPosition(1, end));
                if (line.Span.Trim((byte)'\r').Trim((byte)' ').IsEmpty)
                    continue;
                return Parse(line);
            }
            if (read.IsCompleted)
            {
                if (buffer.IsEmpty)
                    return null;
                _reader.AdvanceTo(buffer.End);
                throw new KubeException(KubeFailure.Malformed, $"{_subject}: the stream ended in the middle of an event");
            }
            if (buffer.Length > _limits.LongestEvent)
                throw new KubeException(KubeFailure.Malformed, $"{_subject}: an event has more than {_limits.LongestEvent} bytes");
            _reader.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    public async ValueTask DisposeAsync()
    {
        // Disposing the response first: a reader that is drained would wait for the server.
        _response.Dispose();
        await _reader.CompleteAsync();
    }

    private async ValueTask<ReadResult?> ReadAsync(TimeSpan patience, CancellationToken cancellation)
    {
        // Most events are there already: no timer then.
        if (_reader.TryRead(out var ready))
        {
            if (ready.IsCompleted || ready.Buffer.PositionOf((byte)'\n') is not null)
                return ready;
            _reader.AdvanceTo(ready.Buffer.Start, ready.Buffer.End);
        }
        using var silence = new CancellationTokenSource(patience, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, cancellation);
        try
        {
            return await _reader.ReadAsync(both.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw _lost(e);
        }
    }

    private Memory<byte> Copy(ReadOnlySequence<byte> line)
    {
        if (_line.Length < line.Length)
            _line = new byte[Math.Max(4096, System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)line.Length))];
        line.CopyTo(_line);
        return _line.AsMemory(0, (int)line.Length);
    }

    private WatchEvent Parse(ReadOnlyMemory<byte> line)
    {
        try
        {
            var read = WatchEvent.Read(line);
            if (read.Kind is not WatchEventKind.Error)
                return read;
            var status = JsonSerializer.Deserialize(read.Object.Json.Span, KubeJson.Default.ApiStatus);
            throw ResponseReading.From(status?.Code ?? 500, status, "an error without a Status", _subject);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new KubeException(KubeFailure.Malformed, $"{_subject}: a line is no event: {e.Message}", e);
        }
    }
}
