using Mesh.IstiodLite.Telemetry;
using Mesh.Kubernetes.Recording;

namespace Mesh.IstiodLite.Leadership;

/// <summary>The pod that this control plane runs in.</summary>
/// <param name="Uid">Empty: not known, and kubectl describe does not find its Events.</param>
internal sealed record OwnPod(string Namespace, string Name, string Uid);

/// <summary>
/// What is wrong with this control plane is an Event on its own pod; every replica tells its own. What stands at two looks in a row is told, and told
/// again as long as it stands, because API servers forget Events after an hour.
/// </summary>
internal sealed class PlaneEvents : IAsyncDisposable
{
    private readonly EventRecorder _recorder;
    private readonly OwnPod? _pod;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<(PlaneFault, string), long?> _standing = [];
    private Task _running = Task.CompletedTask;

    /// <param name="pod">Null: this is no pod, and the log and the pages have to do.</param>
    public PlaneEvents(EventRecorder recorder, OwnPod? pod, TimeProvider time) => (_recorder, _pod, _time) = (recorder, pod, time);

    public void Start(PlaneFaults faults, TimeSpan every, TimeSpan again) => _running = RunAsync(faults, every, again);

    /// <summary>Any thread.</summary>
    public void Tell(string reason, string text)
    {
        if (_pod is not null)
            _recorder.Record(new ObjectReference { ApiVersion = "v1", Kind = "Pod", Namespace = _pod.Namespace, Name = _pod.Name, Uid = _pod.Uid.Length == 0 ? null : _pod.Uid }, warning: true, reason, "ControlPlane", text);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private async Task RunAsync(PlaneFaults faults, TimeSpan every, TimeSpan again)
    {
        using var timer = new PeriodicTimer(every, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
                Look([.. faults.Current()], again);
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private void Look(IReadOnlyList<(PlaneFault Fault, string Part, string Text)> current, TimeSpan again)
    {
        foreach (var over in _standing.Keys.Except(current.Select(c => (c.Fault, c.Part))).ToList())
            _standing.Remove(over);
        foreach (var (fault, part, text) in current)
        {
            // What is over at the next look was a write that somebody else was faster with, or a watch that had to begin anew.
            if (_standing.TryAdd((fault, part), null) || (_standing[(fault, part)] is { } told && _time.GetElapsedTime(told) < again))
                continue;
            _standing[(fault, part)] = _time.GetTimestamp();
            Tell(fault.ToString(), $"{part}: {text}");
        }
    }
}
