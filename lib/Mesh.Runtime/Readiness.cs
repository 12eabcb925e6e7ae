using Mesh.Runtime.Logging;

namespace Mesh.Runtime;

/// <summary>Named tasks that must be complete before the process takes traffic. Any thread.</summary>
/// <remarks>Never becomes unready again: a lost control plane does not stop a data plane that still knows what to do.</remarks>
public sealed class Readiness(TimeProvider time, Log? log = null)
{
    private readonly Lock _gate = new();
    private readonly HashSet<string> _pending = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long _started = time.GetTimestamp();

    public bool IsReady => Pending.Count == 0;

    /// <summary>Completes when the last task that is registered at that moment completes.</summary>
    public Task Ready => _ready.Task;

    /// <summary>Names in ordinal order.</summary>
    public IReadOnlyList<string> Pending
    {
        get
        {
            lock (_gate)
                return [.. _pending.Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>The body that /healthz/ready answers.</summary>
    public string Text => Pending is { Count: > 0 } pending ? $"not ready, pending: {string.Join(", ", pending)}\n" : "ready\n";

    public ReadinessTask Register(string name)
    {
        lock (_gate)
            _pending.Add(name);
        return new ReadinessTask(this, name);
    }

    internal void Complete(string name)
    {
        int left;
        lock (_gate)
        {
            if (!_pending.Remove(name))
                return;
            left = _pending.Count;
        }

        var took = DurationText.Format(time.GetElapsedTime(_started));
        log?.Info(left == 0 ? $"Task '{name}' complete ({took}), marking server ready" : $"Task '{name}' complete ({took}), still awaiting {left} tasks");
        if (left == 0)
            _ready.TrySetResult();
    }
}

/// <summary>The right to say that one task is complete; saying it twice is harmless.</summary>
public sealed class ReadinessTask : IDisposable
{
    private readonly Readiness _owner;

    internal ReadinessTask(Readiness owner, string name)
    {
        _owner = owner;
        Name = name;
    }

    public string Name { get; }

    public bool IsComplete { get; private set; }

    public void Complete()
    {
        IsComplete = true;
        _owner.Complete(Name);
    }

    public void Dispose() => Complete();
}
