using Mesh.IstiodLite.Telemetry;
using Mesh.Kubernetes.Leases;
using Mesh.Kubernetes.Requests;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;

namespace Mesh.IstiodLite.Leadership;

/// <summary>What only one replica does: all its tasks run while it holds the lease. All replicas serve.</summary>
internal sealed class LeaderGroup : IAsyncDisposable
{
    private readonly IReadOnlyList<LeaderTask> _tasks;
    private readonly LeaderElector _elector;
    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;

    public LeaderGroup(KubeClient client, LeaderElectorOptions options, IReadOnlyList<LeaderTask> tasks, Health health, PlaneFaults faults, MetricRegistry registry, Log? log)
    {
        _tasks = tasks;
        _elector = new LeaderElector(client, options, log is null ? null : log.Info);
        foreach (var task in tasks)
            faults.IsWriting(task.Name);
        health.Ask(PlaneFaults.Leadership, () => _elector.Problem is { } problem ? [$"the lease {options.Namespace}/{options.Name} cannot be read or renewed: {problem}"] : []);
        registry.SampledGauge("istiod_lite_leader", "1 while this replica is the one that writes to the cluster", samples => samples.Write(_elector.IsLeader ? 1 : 0, LabelSet.None));
    }

    public bool IsLeader => _elector.IsLeader;
    public string Holder => _elector.Holder;

    public void Start() => _running = _elector.RunAsync(term => Task.WhenAll(_tasks.Select(t => t.RunAsync(term))), _stop.Token);

    /// <summary>The mesh is different: every task looks at what that means for it.</summary>
    public void Signal()
    {
        foreach (var task in _tasks)
            task.Signal();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        foreach (var task in _tasks.OfType<IAsyncDisposable>())
            await task.DisposeAsync();
        _stop.Dispose();
    }
}
