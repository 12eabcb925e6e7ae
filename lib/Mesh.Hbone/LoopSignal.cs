using System.Threading.Tasks.Sources;

namespace Mesh.Hbone;

/// <summary>A wake-up for one waiter on the same loop; a set before the wait is remembered. Does not support several waiters or other threads.</summary>
internal sealed class LoopSignal : IValueTaskSource
{
    private ManualResetValueTaskSourceCore<bool> _core;
    private bool _set;
    private bool _waiting;

    public ValueTask WaitAsync()
    {
        if (_set)
        {
            _set = false;
            return ValueTask.CompletedTask;
        }

        _waiting = true;
        return new ValueTask(this, _core.Version);
    }

    public void Set()
    {
        if (!_waiting)
        {
            _set = true;
            return;
        }

        _waiting = false;
        _core.SetResult(true);
    }

    void IValueTaskSource.GetResult(short token)
    {
        _core.GetResult(token);
        _core.Reset();
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags & ~ValueTaskSourceOnCompletedFlags.UseSchedulingContext);
}
