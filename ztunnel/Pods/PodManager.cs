using System.Security.Cryptography.X509Certificates;
using Mesh.Runtime.Decisions;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.Pods;

/// <summary>
/// Which pods this node serves: compares what the pod source says with what runs, starts, stops, and retries what failed.
/// </summary>
/// <remarks>
/// Invariants: a uid is in <c>_running</c> or in <c>_pending</c>, never in both; each entry owns its <see cref="PodNetwork"/>.
/// One operation at a time (<see cref="_turn"/>): a start awaits its listeners, and a delete must not overtake it.
/// </remarks>
internal sealed class PodManager(IPodProxyFactory factory, IPodEvents events) : IDisposable
{
    /// <summary>How often the rules inside the pods are compared with what was written.</summary>
    public static readonly TimeSpan RepairInterval = TimeSpan.FromMinutes(1);

    /// <summary>How long a pod whose listeners could not be opened waits for the next try.</summary>
    public static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Dictionary<string, RunningPod> _running = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PendingPod> _pending = new(StringComparer.Ordinal);

    /// <summary>Running pods whose last repair failed.</summary>
    private readonly HashSet<string> _unrepaired = new(StringComparer.Ordinal);

    /// <summary>Pods named since the source connected; null once its snapshot is complete.</summary>
    private HashSet<string>? _named;
    private bool _stopped;

    public int PendingCount => _pending.Count;

    public int RunningCount => _running.Count;

    public bool HasSnapshot => _named is null && _connected;

    private bool _connected;

    /// <summary>A pod source (re)connected: what it does not name before its snapshot is gone afterwards. Pending pods are named anew.</summary>
    public async Task BeginSnapshotAsync()
    {
        await _turn.WaitAsync();
        try
        {
            _connected = true;
            _named = new HashSet<string>(StringComparer.Ordinal);
            foreach (var pod in _pending.Values)
                pod.Network.Dispose();
            _pending.Clear();
            Publish();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The source is gone: pods keep running, but nobody tells about new ones.</summary>
    public void SourceLost()
    {
        _connected = false;
        Publish();
    }

    /// <returns>Null, or why the proxy did not start; it is retried then.</returns>
    public async Task<string?> AddAsync(string uid, PodInfo info, PodNetwork network)
    {
        await _turn.WaitAsync();
        try
        {
            _named?.Add(uid);
            if (_running.TryGetValue(uid, out var running))
            {
                if (running.Network.Id == network.Id)
                {
                    network.Dispose();
                    return null;
                }
                // The same pod in another namespace: it was recreated and we missed the deletion.
                await StopLockedAsync(uid, running);
            }
            Forget(uid);
            var error = await StartLockedAsync(uid, info, network);
            if (error is not null)
                _pending[uid] = new PendingPod(info, network);
            Publish();
            return error;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <returns>False when the snapshot is complete: the source broke the protocol.</returns>
    public async Task<bool> KeepAsync(string uid)
    {
        await _turn.WaitAsync();
        try
        {
            return _named?.Add(uid) is not null;
        }
        finally
        {
            _turn.Release();
        }
    }

    public async Task DeleteAsync(string uid)
    {
        await _turn.WaitAsync();
        try
        {
            Forget(uid);
            // Before the snapshot the running proxy stays until the snapshot decides: a deletion may belong to an earlier life of the uid.
            if (_named is not null)
                _named.Remove(uid);
            else if (_running.TryGetValue(uid, out var running))
                await StopLockedAsync(uid, running);
            Publish();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <returns>False when the snapshot was complete already: the source broke the protocol.</returns>
    public async Task<bool> CompleteSnapshotAsync()
    {
        await _turn.WaitAsync();
        try
        {
            if (_named is not { } named)
                return false;
            foreach (var (uid, pod) in _running.Where(p => !named.Contains(p.Key)).ToList())
                await StopLockedAsync(uid, pod);
            _named = null;
            Publish();
            return true;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Called every <see cref="RetryInterval"/>.</summary>
    public async Task RetryPendingAsync()
    {
        await _turn.WaitAsync();
        try
        {
            foreach (var (uid, pod) in _pending.ToList())
            {
                if (await StartLockedAsync(uid, pod.Info, pod.Network) is null)
                    _pending.Remove(uid);
            }
            Publish();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Called every <see cref="RepairInterval"/>. Pod by pod, so that a new pod never waits for all of them.</summary>
    public async Task RepairAsync()
    {
        foreach (var uid in await UidsAsync())
        {
            await _turn.WaitAsync();
            try
            {
                if (_stopped || !_running.TryGetValue(uid, out var pod))
                    continue;
                if (await pod.Proxy.RepairAsync())
                    events.PodRepaired(uid, pod.Info);
                // The pod was told to be uncaptured; nobody else would say that it is captured again.
                if (_unrepaired.Remove(uid))
                    events.PodRecovered(uid, pod.Info);
            }
            catch (Exception failure) when (failure is not OutOfMemoryException)
            {
                _unrepaired.Add(uid);
                events.PodStartFailed(uid, _running[uid].Info, failure.Message);
            }
            finally
            {
                _turn.Release();
            }
        }
    }

    private async Task<List<string>> UidsAsync()
    {
        await _turn.WaitAsync();
        try
        {
            return [.. _running.Keys];
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>All pods in parallel: one that hangs must not eat the time of the others.</summary>
    public async Task DrainAsync(CancellationToken forced)
    {
        await _turn.WaitAsync(CancellationToken.None);
        try
        {
            _stopped = true;
            await Task.WhenAll(_running.Values.Select(p => p.Proxy.DrainAsync(forced)));
            foreach (var pod in _running.Values)
                pod.Network.Dispose();
            _running.Clear();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>A new revocation list came: connections whose peer is on it end now.</summary>
    public async Task RevokeAsync(Func<IReadOnlyList<X509Certificate2>, bool> isRevoked)
    {
        await _turn.WaitAsync();
        try
        {
            await Task.WhenAll(_running.Values.Select(p => p.Proxy.RevokeAsync(isRevoked)));
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>For <c>/config_dump</c>: uid, who, and whether it runs.</summary>
    public async Task<IReadOnlyList<PodState>> ListAsync()
    {
        await _turn.WaitAsync();
        try
        {
            var states = new List<PodState>();
            foreach (var (uid, pod) in _running)
                states.Add(new PodState(uid, pod.Info, true, await pod.Proxy.ListConnectionsAsync()));
            foreach (var (uid, pod) in _pending)
                states.Add(new PodState(uid, pod.Info, false, new PodConnections([], [])));
            return states;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Open connections of all pods that match, for <c>/decisions?open=true</c>.</summary>
    public async Task<IReadOnlyList<IDecision>> FindOpenAsync(DecisionQuery query)
    {
        await _turn.WaitAsync();
        try
        {
            var found = await Task.WhenAll(_running.Values.Select(p => p.Proxy.FindOpenAsync(query)));
            return [.. found.SelectMany(d => d)];
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    private async Task<string?> StartLockedAsync(string uid, PodInfo info, PodNetwork network)
    {
        if (_stopped)
            return "the process is stopping";
        try
        {
            _running[uid] = new RunningPod(info, network, await factory.StartAsync(uid, info, network));
            events.PodStarted(uid, info);
            return null;
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            events.PodStartFailed(uid, info, failure.Message);
            return failure.Message;
        }
    }

    private async Task StopLockedAsync(string uid, RunningPod pod)
    {
        _running.Remove(uid);
        _unrepaired.Remove(uid);
        await pod.Proxy.StopAsync();
        pod.Network.Dispose();
        events.PodStopped(uid, pod.Info);
    }

    private void Forget(string uid)
    {
        if (_pending.Remove(uid, out var pending))
            pending.Network.Dispose();
    }

    private void Publish() => events.PodsChanged(_running.Count, _pending.Count, ready: HasSnapshot && _pending.Count == 0);

    private sealed record RunningPod(PodInfo Info, PodNetwork Network, IPodProxy Proxy);

    private sealed record PendingPod(PodInfo Info, PodNetwork Network);
}

/// <summary>One pod as <c>/config_dump</c> shows it.</summary>
internal sealed record PodState(string Uid, PodInfo Info, bool IsUp, PodConnections Connections);
