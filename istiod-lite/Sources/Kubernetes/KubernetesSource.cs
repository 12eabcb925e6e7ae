using System.Threading.Channels;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Files;
using Mesh.Kubernetes.Informers;
using Mesh.Kubernetes.Requests;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Sources.Kubernetes;

/// <summary>
/// Watches every kind the mesh reads and tells when what is in force changed. Changes that come while the ones before are being translated are told
/// together: a burst never waits for silence, and no change waits for an unrelated one.
/// </summary>
internal sealed class KubernetesSource : IMeshSource
{
    private readonly TimeProvider _time;
    private readonly Log? _log;
    private readonly List<KindWatcher> _watchers;
    private readonly DefinitionWatcher _definitions;
    private readonly Channel<Signal> _signals = Channel.CreateUnbounded<Signal>(new UnboundedChannelOptions { SingleReader = true });
    private readonly CancellationTokenSource _stop = new();
    private readonly ClusterState _state = new();
    private Task _running = Task.CompletedTask;

    private readonly record struct Signal(InformerChange<ClusterObject>? Change, TaskCompletionSource? Waiter, long Noticed);

    public KubernetesSource(KubeClient client, string systemNamespace, InformerOptions options, TimeProvider time, Log? log)
    {
        _time = time;
        _log = log;
        _watchers = [.. WatchedKinds.All(systemNamespace).Select(k => new KindWatcher(client, k, options, OnChanged, log))];
        _definitions = new DefinitionWatcher(client, options, () => _watchers.ForEach(w => w.Informer.Wake()));
    }

    /// <summary>Called from one task, one call at a time, with the time at which the first of the changes was noticed.</summary>
    public event Action<FolderState, long>? Changed;

    public IReadOnlyList<InformerHealth> Health => [.. _watchers.Select(w => w.Informer.Health)];

    /// <summary>What is wrong now, for the readiness page.</summary>
    public IEnumerable<string> Faults() => Health.Where(h => h.Problem is not null)
        .Select(h => $"{h}, since {h.ProblemSince:u}; {(h.HasSynced ? "the last known state is served" : "it has never been read")}");

    /// <summary>Returns when every kind is complete (one that is not installed is).</summary>
    public async Task<FolderState> StartAsync(CancellationToken cancellation)
    {
        _definitions.Start();
        _watchers.ForEach(w => w.Informer.Start());
        await Task.WhenAll(_watchers.Select(w => w.Informer.Synced)).WaitAsync(cancellation);
        // What the lists brought is in the channel already.
        while (_signals.Reader.TryRead(out var signal))
            Take(signal);
        _log?.Info($"{_watchers.Count} kinds are known, {Health.Count(h => h.State is InformerState.NotInstalled)} of them are not installed");
        return _state.Take();
    }

    public void Follow() => _running = RunAsync(_stop.Token);

    /// <summary>Returns when everything that had arrived before the call has been told.</summary>
    public Task RefreshAsync()
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _signals.Writer.TryWrite(new Signal(null, done, _time.GetTimestamp()));
        return done.Task;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _definitions.DisposeAsync();
        foreach (var watcher in _watchers)
            await watcher.Informer.DisposeAsync();
        _signals.Writer.TryComplete();
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

    private void OnChanged(InformerChange<ClusterObject> change) => _signals.Writer.TryWrite(new Signal(change, null, _time.GetTimestamp()));

    private async Task RunAsync(CancellationToken cancellation)
    {
        await Task.Yield();
        var waiting = new List<TaskCompletionSource>();
        while (await _signals.Reader.WaitToReadAsync(cancellation))
        {
            long? noticed = null;
            var changed = false;
            while (_signals.Reader.TryRead(out var signal))
            {
                if (Take(signal))
                {
                    changed = true;
                    noticed ??= signal.Noticed;
                }
                if (signal.Waiter is { } waiter)
                    waiting.Add(waiter);
            }
            try
            {
                if (changed)
                    Changed?.Invoke(_state.Take(), noticed!.Value);
            }
            catch (Exception e)
            {
                _log?.Error($"a change could not be taken over, the state before it stays: {e}");
            }
            waiting.ForEach(w => w.TrySetResult());
            waiting.Clear();
        }
    }

    private bool Take(in Signal signal) => signal.Change is { } change && _state.Apply(change.Before, change.After);
}
