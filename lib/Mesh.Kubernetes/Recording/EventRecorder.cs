using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;

namespace Mesh.Kubernetes.Recording;

/// <summary>
/// Events on the objects that people look at (kubectl describe). The same event again within its life becomes a series; nobody waits for a write. While
/// the API server is away they are kept for it; what does not fit into the queue, or is an hour old, is dropped: an Event is news, never state.
/// </summary>
public sealed class EventRecorder(KubeClient client, string controller, string instance, Action<string>? warn = null) : IAsyncDisposable
{
    private const int MostWaiting = 256;
    private const int MostRemembered = 1024;
    private const int MostNoteBytes = 1024;
    /// <summary>API servers keep events for an hour; a series that is patched later would be 404.</summary>
    private static readonly TimeSpan _life = TimeSpan.FromMinutes(50);

    private readonly Channel<KubeEvent> _waiting = Channel.CreateBounded<KubeEvent>(new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private readonly Dictionary<(string, string, string, string), Known> _known = [];
    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;

    private sealed record Known(string Namespace, string Name, int Count, DateTimeOffset First);

    public void Start() => _running = RunAsync(_stop.Token);

    /// <param name="reason">UpperCamelCase, for machines.</param>
    /// <param name="note">For people; cut at 1024 bytes.</param>
    public void Record(ObjectReference regarding, bool warning, string reason, string action, string note)
    {
        ArgumentNullException.ThrowIfNull(regarding);
        _waiting.Writer.TryWrite(new KubeEvent
        {
            // Events about cluster-scoped objects belong into default; the API refuses them elsewhere.
            Metadata = new ObjectMeta { Namespace = string.IsNullOrEmpty(regarding.Namespace) ? "default" : regarding.Namespace },
            EventTime = client.Time.GetUtcNow(),
            ReportingController = controller,
            ReportingInstance = instance,
            Action = action,
            Reason = reason,
            Regarding = regarding,
            Note = Cut(note),
            Type = warning ? "Warning" : "Normal",
        });
    }

    /// <summary>The last news of a process that ends: written now, at most for <paramref name="patience"/>.</summary>
    public async Task FlushAsync(TimeSpan patience)
    {
        _waiting.Writer.TryComplete();
        _stop.CancelAfter(patience);
        await _running;
    }

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private async Task RunAsync(CancellationToken cancellation)
    {
        await Task.Yield();
        try
        {
            await foreach (var item in _waiting.Reader.ReadAllAsync(cancellation))
            {
                await DeliverAsync(item, cancellation);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped; news that nobody has read is not worth waiting for.
        }
    }

    /// <summary>Until the API server has it, as long as it is news.</summary>
    private async Task DeliverAsync(KubeEvent item, CancellationToken cancellation)
    {
        var backoff = new Backoff(TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(30), client.Random);
        while (true)
        {
            try
            {
                await WriteAsync(item, cancellation);
                return;
            }
            catch (KubeException e)
            {
                var isAway = e.Failure is KubeFailure.Unreachable or KubeFailure.Throttled or KubeFailure.ServerError;
                if (backoff.Failures == 0)
                    warn?.Invoke($"an event on {item.Regarding!.Kind} {item.Regarding.Namespace}/{item.Regarding.Name} could not be written{(isAway ? ", it is tried again" : "")}: {e.Message}");
                if (!isAway || client.Time.GetUtcNow() - item.EventTime >= _life)
                    return;
                await Task.Delay(backoff.Next(e.RetryAfter), client.Time, cancellation);
            }
        }
    }

    private async Task WriteAsync(KubeEvent item, CancellationToken cancellation)
    {
        var regarding = item.Regarding!;
        var key = ($"{regarding.Kind}/{regarding.Namespace}/{regarding.Name}/{regarding.Uid}", item.Type!, item.Reason!, item.Note!);
        if (_known.TryGetValue(key, out var known) && item.EventTime - known.First < _life)
        {
            var series = new EventSeriesPatch { Series = new EventSeries { Count = known.Count + 1, LastObservedTime = item.EventTime } };
            try
            {
                var patch = JsonSerializer.SerializeToNode(series, KubeJson.Default.EventSeriesPatch)!.AsObject();
                await client.MergeAsync(ResourceTypes.Events, known.Namespace, known.Name, patch, null, cancellation);
                _known[key] = known with { Count = known.Count + 1 };
                return;
            }
            catch (KubeException e) when (e.Failure is KubeFailure.NotFound)
            {
                // Expired on the server: a new one.
            }
        }
        if (_known.Count >= MostRemembered)
            _known.Clear();
        var name = $"{regarding.Name}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}";
        await client.CreateAsync(ResourceTypes.Events, item.Metadata.Namespace, item with { Metadata = item.Metadata with { Name = name } }, KubeJson.Default.KubeEvent, cancellation);
        _known[key] = new Known(item.Metadata.Namespace!, name, 1, item.EventTime);
    }

    private static string Cut(string note)
    {
        if (Encoding.UTF8.GetByteCount(note) <= MostNoteBytes)
            return note;
        var end = note.Length;
        while (Encoding.UTF8.GetByteCount(note.AsSpan(0, end)) > MostNoteBytes - 3)
            end -= 1 + (end > 1 && char.IsLowSurrogate(note[end - 1]) ? 1 : 0);
        return note[..end] + "...";
    }
}
