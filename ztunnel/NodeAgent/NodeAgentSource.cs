using Mesh.Runtime.Logging;
using Mesh.Ztunnel.Capture;
using Mesh.Ztunnel.Pods;

namespace Mesh.Ztunnel.NodeAgent;

/// <summary>
/// Our own agent as source of pods: what takes part comes from <see cref="INodePods"/>, where it is from <see cref="NamespaceFinder"/>; the rules inside
/// the pod are the proxy factory's, those of the node are <see cref="ProbeRules"/>.
/// </summary>
/// <remarks>
/// A pod whose namespace is not there yet is looked for again, soon at first, then every second. Rules stay when this process stops: its
/// successor finds pods that are captured already and writes the same rules again.
/// </remarks>
internal sealed class NodeAgentSource(INodePods wanted, NamespaceFinder finder, ProbeRules? probes, PodManager pods, LogSink sink, TimeProvider time) : IPodSource
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(1);

    /// <summary>After so long without a namespace a person is told; pods that are just being started have theirs long before.</summary>
    public TimeSpan Worrying { get; init; } = TimeSpan.FromSeconds(10);

    private readonly Log _log = sink.For("nodeagent");
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<string, NodePod> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Search> _searching = new(StringComparer.Ordinal);

    /// <summary>The first set: pods that were there before this agent.</summary>
    private bool _isFirst = true;

    /// <summary>A pod that is looked for. The reason is logged when it changes, not at each look.</summary>
    private sealed class Search(NodePod pod, long begun, bool mayHoldRules)
    {
        public NodePod Pod { get; } = pod;

        public long Begun { get; } = begun;

        public bool MayHoldRules { get; } = mayHoldRules;

        public bool IsTold { get; set; }

        public string? Reason { get; set; }
    }

    public async Task<string?> RunAsync()
    {
        await pods.BeginSnapshotAsync();
        await using var sets = wanted.WatchAsync(_stop.Token).GetAsyncEnumerator(_stop.Token);
        var next = sets.MoveNextAsync().AsTask();
        var delay = FirstDelay;
        try
        {
            while (true)
            {
                if (_searching.Count > 0 && await Task.WhenAny(next, Task.Delay(delay, time, _stop.Token)) != next)
                {
                    delay = delay * 2 < LongestDelay ? delay * 2 : LongestDelay;
                    await SearchAsync();
                    continue;
                }
                if (!await next)
                    return _stop.IsCancellationRequested ? null : "the source of this node's pods has ended";
                delay = FirstDelay;
                await ReconcileAsync(sets.Current);
                if (_isFirst)
                    await pods.CompleteSnapshotAsync();
                _isFirst = false;
                next = sets.MoveNextAsync().AsTask();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            return null;
        }
    }

    public void Stop() => _stop.Cancel();

    /// <summary>Every pod talks as before: the mesh leaves this node.</summary>
    public async Task ReleaseAllAsync()
    {
        _stop.Cancel();
        _searching.Clear();
        foreach (var uid in _known.Keys.ToList())
            await pods.DeleteAsync(uid);
        _known.Clear();
        await WriteProbeRulesAsync([]);
    }

    private async Task ReconcileAsync(IReadOnlyList<NodePod> set)
    {
        var now = set.ToDictionary(p => p.Uid, StringComparer.Ordinal);
        foreach (var gone in _known.Values.Where(p => !now.ContainsKey(p.Uid)).ToList())
        {
            _log.Event(LogSeverity.Info, "pod has left").Text("uid", gone.Uid).Text("name", gone.Info.Name).Text("namespace", gone.Info.Namespace).Write();
            _known.Remove(gone.Uid);
            _searching.Remove(gone.Uid);
            await pods.DeleteAsync(gone.Uid);
        }
        // Before the pods: a probe that fails because it came too early restarts a container.
        await WriteProbeRulesAsync(set);
        foreach (var pod in set)
        {
            // Another address means another sandbox, hence another namespace.
            if (_known.TryGetValue(pod.Uid, out var known) && known == pod)
                continue;
            _known[pod.Uid] = pod;
            // A pod whose namespace the CNI plugin named is only just starting: nobody has written anything into it.
            _searching[pod.Uid] = new Search(pod, time.GetTimestamp(), mayHoldRules: _isFirst && pod.NamespacePath is null);
        }
        await SearchAsync();
    }

    private async Task SearchAsync()
    {
        foreach (var (uid, search) in _searching.ToList())
        {
            var found = finder.Find(search.Pod);
            if (found.Namespace is not { } network)
            {
                if (search.Reason != found.Reason)
                    _log.Info($"{found.Reason}; it is looked for again");
                search.Reason = found.Reason;
                if (!search.IsTold && time.GetElapsedTime(search.Begun) >= Worrying)
                {
                    search.IsTold = true;
                    wanted.NotFound(search.Pod, found.Reason!);
                }
                continue;
            }
            _searching.Remove(uid);
            var started = time.GetTimestamp();
            // What fails here is told and retried by the manager.
            if (await pods.AddAsync(uid, search.Pod.Info, PodNetwork.Of(network) with { MayHoldRules = search.MayHoldRules }) is null)
            {
                _log.Event(LogSeverity.Info, "pod joined").Text("uid", uid).Text("name", search.Pod.Info.Name).Text("namespace", search.Pod.Info.Namespace)
                    .Milliseconds("duration", time.GetElapsedTime(started)).Write();
            }
        }
    }

    private async Task WriteProbeRulesAsync(IReadOnlyList<NodePod> set)
    {
        if (probes is null)
            return;
        try
        {
            await probes.SetAsync([.. set.SelectMany(p => p.Addresses)]);
        }
        catch (CaptureException failure)
        {
            _log.Error($"the kubelet's probes cannot be let pass, pods that demand mTLS will look unhealthy: {failure.Message}");
        }
    }
}
