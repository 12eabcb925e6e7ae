using System.Collections.Concurrent;
using Mesh.Identity.Certificates;
using Mesh.Model;

namespace Mesh.Identity.Fetching;

/// <summary>The certificates of this node's workloads: fetched once however many ask, renewed at half-life, kept in use while the authority is away.</summary>
/// <remarks>
/// Any thread. A cached certificate is handed out without a lock. Life of an entry: asked for, queued by urgency, fetched; then renewed in
/// the background. A failed renewal keeps the old certificate until it ends; after that callers get the error at once, and retries go on.
/// </remarks>
public sealed class CertificateCache : IDisposable
{
    private static readonly TimeSpan MinimumRefreshDelay = TimeSpan.FromSeconds(1);

    // Certificates end by the wall clock, timers run by another: looking again now and then notices a clock that was set.
    private static readonly TimeSpan LongestSleep = TimeSpan.FromHours(1);

    private readonly ICertificateSource _source;
    private readonly CertificateCacheOptions _options;
    private readonly ConcurrentDictionary<SpiffeId, CertificateEntry> _entries = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly ITimer _timer;
    private readonly Lock _gate = new();

    // under the gate
    private readonly FetchQueue _queue = new();
    private int _running;
    private int _runningUnhurried;

    public CertificateCache(ICertificateSource source, CertificateCacheOptions? options = null)
    {
        _source = source;
        _options = options ?? new();
        _timer = _options.Time.CreateTimer(static cache => ((CertificateCache)cache!).Pump(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>A certificate has arrived, the first of an identity or its successor. On a pool thread; must not throw.</summary>
    public event Action<WorkloadCertificate>? Rotated;

    public IReadOnlyList<CertificateStatus> Statuses => [.. _entries.Values
        .Select(e => new CertificateStatus(
            e.Id,
            e.Certificate is not null ? CertificateState.Available : e.Error is not null ? CertificateState.Unavailable : CertificateState.Initializing,
            e.Certificate,
            e.Error?.Message))
        .OrderBy(s => s.Identity.ToString(), StringComparer.Ordinal)];

    /// <summary>Completed at once when there is a certificate, or a stored error. <paramref name="cancellation"/> ends the waiting, not the fetch that others may share.</summary>
    public ValueTask<CertificateResult> GetAsync(SpiffeId id, CertificatePriority priority, CancellationToken cancellation = default)
    {
        if (_entries.TryGetValue(id, out var entry) && entry.TryGetUsable(_options.Time.GetUtcNow(), out var usable))
            return new(usable);
        var pending = Request(id, priority);
        return pending.IsCompletedSuccessfully ? new(pending.Result) : new(pending.WaitAsync(cancellation));
    }

    /// <summary>Fetches ahead of need; false when too much is waiting already.</summary>
    public bool Prefetch(SpiffeId id)
    {
        lock (_gate)
        {
            if (!_entries.ContainsKey(id) && _queue.ReadyCount >= _options.WarmupLimit)
                return false;
        }

        Request(id, CertificatePriority.Warmup);
        return true;
    }

    /// <summary>Nobody needs the identity any more. Those who still wait for it are told.</summary>
    public void Forget(SpiffeId id)
    {
        lock (_gate)
        {
            if (!_entries.TryRemove(id, out var entry))
                return;
            entry.IsForgotten = true;
            _queue.Remove(entry);
            Finish(entry, CertificateResult.Of(new CertificateException(CertificateFailure.Forgotten, $"{id} was forgotten: the last workload with it left this node")));
        }
    }

    public void Dispose()
    {
        _stopping.Cancel();
        _timer.Dispose();
        foreach (var id in _entries.Keys)
            Forget(id);
        _stopping.Dispose();
    }

    private Task<CertificateResult> Request(SpiffeId id, CertificatePriority priority)
    {
        Task<CertificateResult> waiting;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_stopping.IsCancellationRequested, this);
            var now = _options.Time.GetUtcNow();
            var isNew = !_entries.TryGetValue(id, out var entry);
            entry ??= _entries[id] = new(id);
            if (entry.TryGetUsable(now, out var usable))
                return Task.FromResult(usable);
            if (entry.Error is { } error)
                return Task.FromResult(CertificateResult.Of(error));

            // New, or a certificate that ended before its renewal came: fetch now. A duplicate only ever raises the urgency.
            if (!entry.IsFetching && (isNew || entry.Certificate is not null || priority > entry.Priority))
            {
                entry.Certificate = null;
                _queue.Add(entry, priority > entry.Priority ? priority : entry.Priority, now);
            }

            entry.Waiters ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
            waiting = entry.Waiters.Task;
        }

        Pump();
        return waiting;
    }

    private void Pump()
    {
        lock (_gate)
        {
            if (_stopping.IsCancellationRequested)
                return;
            var now = _options.Time.GetUtcNow();
            _queue.MoveDue(now);
            while (_running < _options.MaxConcurrent)
            {
                var unhurriedFull = _runningUnhurried >= _options.MaxConcurrent - _options.ReservedForRealTime;
                if (_queue.Take(unhurriedFull ? CertificatePriority.RealTime : CertificatePriority.Background) is not { } entry)
                    break;
                entry.IsFetching = true;
                _running++;
                var unhurried = entry.Priority < CertificatePriority.RealTime;
                _runningUnhurried += unhurried ? 1 : 0;

                // Not on the caller's thread: that may be an event loop, and making a key takes longer than a loop may stand still.
                _ = Task.Run(() => FetchAsync(entry, unhurried));
            }

            // What is due but must wait for a free place is started by the fetch that ends.
            if (_queue.NextDue is { } due)
                _timer.Change(due - now < LongestSleep ? due - now : LongestSleep, Timeout.InfiniteTimeSpan);
        }
    }

    private async Task FetchAsync(CertificateEntry entry, bool unhurried)
    {
        WorkloadCertificate? certificate = null;
        CertificateException? error = null;
        try
        {
            certificate = await _source.FetchAsync(entry.Id, _stopping.Token);
        }
        catch (CertificateException e)
        {
            error = e;
        }
        catch (Exception e)
        {
            error = new(CertificateFailure.Unreachable, $"fetching a certificate for {entry.Id} failed: {e.Message}", e);
        }

        lock (_gate)
        {
            _running--;
            _runningUnhurried -= unhurried ? 1 : 0;
            entry.IsFetching = false;
            if (!entry.IsForgotten && !_stopping.IsCancellationRequested)
                Settle(entry, certificate, error);
        }

        if (certificate is not null && !entry.IsForgotten)
            Rotated?.Invoke(certificate);
        Pump();
    }

    // under the gate
    private void Settle(CertificateEntry entry, WorkloadCertificate? certificate, CertificateException? error)
    {
        var now = _options.Time.GetUtcNow();
        if (certificate is not null)
        {
            entry.Certificate = certificate;
            entry.Error = null;
            entry.Backoff.Reset();
            _queue.Add(entry, CertificatePriority.Background, RefreshTime(certificate, now));
            Finish(entry, CertificateResult.Of(certificate));
            return;
        }

        var retry = now + entry.Backoff.Next(_options.Random);
        if (entry.Certificate is { } kept && kept.NotAfter > now)
        {
            _queue.Add(entry, CertificatePriority.Background, retry < kept.NotAfter ? retry : kept.NotAfter);
            Finish(entry, CertificateResult.Of(kept));
            return;
        }

        entry.Certificate = null;
        entry.Error = error;
        _queue.Add(entry, entry.Priority, retry);
        Finish(entry, CertificateResult.Of(error!));
    }

    private DateTimeOffset RefreshTime(WorkloadCertificate certificate, DateTimeOffset now)
    {
        var half = certificate.RefreshAt - certificate.NotBefore;
        var due = certificate.RefreshAt - (half * (_options.RefreshJitter * _options.Random.NextDouble()));

        // An authority that hands out certificates past their half-life must not be asked in a spin.
        var earliest = now + MinimumRefreshDelay;
        return due > earliest ? due : earliest;
    }

    private static void Finish(CertificateEntry entry, CertificateResult result)
    {
        entry.Waiters?.TrySetResult(result);
        entry.Waiters = null;
    }
}
