using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;
using Mesh.Kubernetes.Watching;

namespace Mesh.Kubernetes.Informers;

/// <summary>Gets what an informer sees; called from the informer's task, one call at a time.</summary>
public interface IInformerHandler<T>
    where T : class
{
    void OnChanged(InformerChange<T> change);

    /// <summary>A list is in full, or the kind is known not to be installed.</summary>
    void OnSynced();

    /// <summary>State or problem changed.</summary>
    void OnHealth(InformerHealth health);
}

/// <summary>
/// Keeps the objects of one kind: (1) find the served version  (2) list in pages  (3) watch from the list; again from (3) after an ordinary end, from
/// (2) when the server has forgotten where we were, from (1) when the kind is gone. What is known stays until a list or an event says otherwise.
/// Where the server can, (2) and (3) are one request: a streaming list costs it no copy of everything (KEP-3157, Kubernetes 1.32).
/// </summary>
/// <param name="decode">Null: of no interest. An exception leaves the object as it was known before.</param>
public sealed class Informer<T>(
    KubeClient client, ResourceChoice choice, string? ns, Selection selection, Func<RawObject, T?> decode, IInformerHandler<T> handler, InformerOptions options) : IAsyncDisposable
    where T : class
{
    /// <summary>Reopening a watch from the same place is pointless after so many failures there.</summary>
    private const int MostFailuresAtOnePlace = 3;

    private readonly CancellationTokenSource _stop = new();
    private readonly InformerStore<T> _store = new();
    private readonly Backoff _backoff = new(options.FirstDelay, options.LongestDelay, client.Random);
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile InformerHealth _health = new() { Kind = choice.Name };
    private volatile CancellationTokenSource? _sleep;
    private Task _running = Task.CompletedTask;

    // the running task only
    private ResourceType? _type;
    private string? _version;
    private int _failuresHere;
    private long? _missingSince;
    private long _lastSign;
    private bool _whole;
    private bool _streams = options.StreamingLists;
    private bool _disordered;

    public InformerHealth Health => _health;

    /// <summary>Completes when the content was complete for the first time.</summary>
    public Task Synced => _synced.Task;

    public void Start() => _running = RunAsync(_stop.Token);

    /// <summary>Something changed that makes another attempt worth while, a CRD for instance.</summary>
    public void Wake()
    {
        try
        {
            _sleep?.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It woke by itself in this moment.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        try
        {
            await _running;
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
        _stop.Dispose();
    }

    private async Task RunAsync(CancellationToken cancellation)
    {
        await Task.Yield();
        while (true)
        {
            try
            {
                // (1)
                _type ??= await client.FindAsync(choice, cancellation);
                if (_type is null)
                {
                    await WaitForKindAsync(cancellation);
                    continue;
                }
                _missingSince = null;
                if (_version is null && _streams && !_whole)
                {
                    // (2), (3)
                    await StreamAsync(_type, cancellation);
                    continue;
                }
                // (2)
                _version ??= await ListAsync(_type, cancellation);
                // (3)
                await WatchAsync(_type, cancellation);
            }
            catch (KubeException e)
            {
                await FailedAsync(e, cancellation);
            }
            catch (Exception e) when (!cancellation.IsCancellationRequested)
            {
                // A fault of ours must not end the watching of a kind for good: what was being taken in is looked at again in full.
                _version = null;
                await FailedAsync(new KubeException(KubeFailure.Malformed, $"{choice.Name}: internal error: {e.Message}", e), cancellation);
            }
        }
    }

    private async Task<string> ListAsync(ResourceType type, CancellationToken cancellation)
    {
        Report(_health with { State = InformerState.Listing, Lists = _health.Lists + 1 });
        var found = new Dictionary<ObjectKey, (string, T?)>();
        string? next = null;
        string version;
        do
        {
            var page = await client.ListAsync(type, ns, selection, _whole ? 0 : options.PageSize, next, cancellation);
            foreach (var item in page.Items)
                found[item.Key] = (item.ResourceVersion, Decode(item));
            version = page.ResourceVersion;
            next = page.Continue;
        }
        while (next is not null);
        _whole = false;
        TakeList(found);
        return version;
    }

    private void TakeList(Dictionary<ObjectKey, (string, T?)> found)
    {
        _disordered = false;
        _failuresHere = 0;
        _lastSign = client.Time.GetTimestamp();
        _store.Replace(found, handler.OnChanged);
        CompleteSync();
    }

    /// <summary>Everything as events up to a mark, then what changes, on one stream. A server that cannot is asked in pages from then on.</summary>
    private async Task StreamAsync(ResourceType type, CancellationToken cancellation)
    {
        Report(_health with { State = InformerState.Listing, Lists = _health.Lists + 1 });
        WatchStream stream;
        try
        {
            stream = await WatchStream.OpenAsync(client, type, ns, selection, null, Limits(), cancellation);
        }
        catch (KubeException e) when (e.Failure is KubeFailure.BadRequest or KubeFailure.Invalid)
        {
            _streams = false;
            return;
        }
        await using (stream)
        {
            var found = new Dictionary<ObjectKey, (string, T?)>();
            while (true)
            {
                // Servers before 1.27 do not know the parameter, ignore it and say nothing after the last object.
                if (await stream.NextAsync(cancellation, options.StreamedListSilence) is not { } item || item is { Kind: WatchEventKind.Bookmark, Object.IsInitialEventsEnd: false })
                {
                    _streams = false;
                    return;
                }
                if (item.Kind is WatchEventKind.Bookmark)
                {
                    TakeList(found);
                    _version = item.Object.ResourceVersion;
                    break;
                }
                if (item.Kind is WatchEventKind.Deleted)
                    found.Remove(item.Object.Key);
                else
                    found[item.Object.Key] = (item.Object.ResourceVersion, Decode(item.Object));
            }
            await FollowAsync(stream, cancellation);
        }
    }

    private WatchLimits Limits() => new() { Timeout = options.WatchTimeout * (1 + client.Random.NextDouble()), Silence = options.Silence };

    private async Task WatchAsync(ResourceType type, CancellationToken cancellation)
    {
        await using var stream = await WatchStream.OpenAsync(client, type, ns, selection, _version!, Limits(), cancellation);
        await FollowAsync(stream, cancellation);
    }

    private async Task FollowAsync(WatchStream stream, CancellationToken cancellation)
    {
        var opened = client.Time.GetTimestamp();
        Report(_health with { State = InformerState.Watching, Problem = null, ProblemSince = null, Watches = _health.Watches + 1, Objects = _store.Count });
        var any = false;
        while (await stream.NextAsync(cancellation) is { } item)
        {
            any = true;
            _lastSign = client.Time.GetTimestamp();
            Take(item);
            if (_version is null)
                break;
            // It works: the next failure is the first again.
            _failuresHere = 0;
            _backoff.Reset();
        }

        // A server that sets back its history, or orders wrongly, may have left something out: only a list tells.
        if (_disordered || client.Time.GetElapsedTime(_lastSign) >= options.ListAfterSilence)
            _version = null;
        // An end in good order costs nothing, unless it comes at once and over and over.
        if (!any && client.Time.GetElapsedTime(opened) < options.FirstDelay)
            await SleepAsync(_backoff.Next(), cancellation);
    }

    private void Take(in WatchEvent item)
    {
        var outcome = EventOutcome.Applied;
        switch (item.Kind)
        {
            case WatchEventKind.Added or WatchEventKind.Modified:
                outcome = _store.Put(item.Object.Key, item.Object.ResourceVersion, Decode(item.Object), handler.OnChanged);
                break;
            case WatchEventKind.Deleted:
                outcome = _store.Remove(item.Object.Key, item.Object.ResourceVersion, handler.OnChanged);
                break;
        }
        var here = InformerStore<T>.VersionOf(_version!);
        var there = InformerStore<T>.VersionOf(item.Object.ResourceVersion);
        if (item.Kind is WatchEventKind.Bookmark && there != 0 && there < here)
        {
            // The server is behind what it told us before: its history was set back.
            _version = null;
            return;
        }
        if (outcome is not EventOutcome.Applied)
            Report(_health with { Irregular = _health.Irregular + 1 });
        _disordered |= outcome is EventOutcome.Disordered;
        if (item.Object.ResourceVersion.Length > 0 && (there == 0 || there > here))
            _version = item.Object.ResourceVersion;
        if (_health.Objects != _store.Count)
            _health = _health with { Objects = _store.Count };
    }

    private async Task FailedAsync(KubeException e, CancellationToken cancellation)
    {
        _failuresHere++;
        // Whatever it is that fails again and again on the way: pages may come through.
        if (_version is null && _failuresHere >= MostFailuresAtOnePlace)
            _streams = false;
        switch (e.Failure)
        {
            case KubeFailure.Expired:
                // In the middle of a list: pages come too slowly for this server. Otherwise: list again, at once the first time.
                _whole = _version is null;
                _version = null;
                if (_failuresHere == 1)
                    return;
                break;
            case KubeFailure.NotServed:
                _type = null;
                if (_failuresHere == 1)
                    return;
                break;
            case KubeFailure.BadRequest or KubeFailure.Invalid:
                _version = null;
                break;
            case KubeFailure.Malformed or KubeFailure.ServerError when _failuresHere >= MostFailuresAtOnePlace:
                _version = null;
                break;
        }
        Report(_health with { State = InformerState.Retrying, Problem = e.Message, ProblemSince = _health.ProblemSince ?? client.Time.GetUtcNow(), Failures = _health.Failures + 1 });
        await SleepAsync(_backoff.Next(e.RetryAfter), cancellation);
    }

    /// <summary>Not an error: a CRD may be installed at any time. Its objects are given up only after a while, API servers start kind by kind.</summary>
    private async Task WaitForKindAsync(CancellationToken cancellation)
    {
        _missingSince ??= client.Time.GetTimestamp();
        if (_store.Count == 0 || client.Time.GetElapsedTime(_missingSince.Value) >= options.MissingGrace)
        {
            _version = null;
            _failuresHere = 0;
            _store.Replace([], handler.OnChanged);
            Report(_health with { State = InformerState.NotInstalled, Problem = null, ProblemSince = null, Objects = 0 });
            CompleteSync();
        }
        await SleepAsync(_backoff.Next(), cancellation);
    }

    private T? Decode(in RawObject item)
    {
        try
        {
            return decode(item);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // One object that cannot be read, for whatever reason, keeps nobody from the others.
            Report(_health with { Problem = $"{item.Key}: {e.Message}", ProblemSince = client.Time.GetUtcNow(), Failures = _health.Failures + 1 });
            return _store.Find(item.Key);
        }
    }

    private void CompleteSync()
    {
        Report(_health with { HasSynced = true, Objects = _store.Count });
        // Before it is told: whoever is told asks whether it is so, perhaps on another thread and at once.
        _synced.TrySetResult();
        handler.OnSynced();
    }

    private void Report(InformerHealth health)
    {
        _health = health;
        handler.OnHealth(health);
    }

    private async Task SleepAsync(TimeSpan delay, CancellationToken cancellation)
    {
        using var sleep = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _sleep = sleep;
        try
        {
            await Task.Delay(delay, client.Time, sleep.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // Woken.
        }
        finally
        {
            _sleep = null;
        }
    }
}
