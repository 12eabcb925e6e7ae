namespace Mesh.Runtime;

/// <summary>How the process ends: first politely, then for good. Any thread.</summary>
/// <remarks>
/// (1) <see cref="Begin"/>: listeners close, peers are told to go elsewhere, existing connections go on.
/// (2) Parts that still have work hold the drain. (3) When the last hold is released, or the deadline passes, <see cref="Forced"/> fires
/// and whatever is left is cut.
/// </remarks>
public sealed class Drain(TimeProvider time) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _graceful = new();
    private readonly CancellationTokenSource _forced = new();
    private readonly List<string> _holds = [];
    private TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public CancellationToken Graceful => _graceful.Token;

    public CancellationToken Forced => _forced.Token;

    public bool IsDraining => _graceful.IsCancellationRequested;

    /// <summary>What still has work, one entry per hold.</summary>
    public IReadOnlyList<string> Holds
    {
        get
        {
            lock (_gate)
                return [.. _holds];
        }
    }

    /// <summary>Keeps the process until disposed, at most until the deadline.</summary>
    public IDisposable Hold(string component)
    {
        lock (_gate)
        {
            if (_holds.Count == 0 && _idle.Task.IsCompleted)
                _idle = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _holds.Add(component);
        }

        return new HoldToken(this, component);
    }

    /// <summary>Starts the graceful part. Safe to call twice; callbacks of <see cref="Graceful"/> run here.</summary>
    public void Begin() => _graceful.Cancel();

    /// <summary>Begins if that has not happened, then waits for the holds; after the deadline it forces. True when nothing had to be cut.</summary>
    public async Task<bool> RunAsync(TimeSpan deadline)
    {
        Begin();
        Task idle;
        lock (_gate)
        {
            if (_holds.Count == 0)
                _idle.TrySetResult();
            idle = _idle.Task;
        }

        var clean = true;
        try
        {
            await idle.WaitAsync(deadline, time);
        }
        catch (TimeoutException)
        {
            clean = false;
        }

        await _forced.CancelAsync();
        return clean;
    }

    public void Dispose()
    {
        _graceful.Dispose();
        _forced.Dispose();
    }

    private void Release(string component)
    {
        lock (_gate)
        {
            _holds.Remove(component);
            if (_holds.Count == 0 && IsDraining)
                _idle.TrySetResult();
        }
    }

    private sealed class HoldToken(Drain owner, string component) : IDisposable
    {
        private int _released;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _released, 1) == 0)
                owner.Release(component);
        }
    }
}
