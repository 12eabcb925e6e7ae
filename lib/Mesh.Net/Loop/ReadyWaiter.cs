using System.Threading.Tasks.Sources;

namespace Mesh.Net.Loop;

/// <summary>The state of one wait for readiness, made by the first wait in its direction: most sockets are driven by a handler and never waited for. Loop thread only; continuations run inline.</summary>
/// <remarks>Not supported, because nobody on a loop needs it: a second waiter, execution context flow, completion from another thread.</remarks>
internal sealed class ReadyWaiter
{
    private Action<object?>? _continuation;
    private object? _state;
    private short _version;
    private Phase _phase;

    private enum Phase : byte
    {
        Idle,
        Waiting,
        Succeeded,
        Ended,
    }

    /// <summary>Starts a wait and gives its token; bit 0 of the token is the direction.</summary>
    internal short Begin(int direction)
    {
        if (_phase != Phase.Idle)
            throw new InvalidOperationException("This direction of the socket is already being waited for.");
        _phase = Phase.Waiting;
        _version = (short)((((_version >> 1) + 1) << 1) | direction);
        return _version;
    }

    /// <summary>Ends a running wait. False: nobody was waiting.</summary>
    internal bool Complete(bool result)
    {
        if (_phase != Phase.Waiting)
            return false;
        _phase = result ? Phase.Succeeded : Phase.Ended;
        var continuation = _continuation;
        var state = _state;
        _continuation = null;
        _state = null;

        // Without a continuation the waiter has not got as far as OnCompleted yet and will find the status.
        continuation?.Invoke(state);
        return true;
    }

    internal bool End(short token)
    {
        Check(token);
        if (_phase is Phase.Waiting or Phase.Idle)
            throw new InvalidOperationException("The wait has not ended.");
        var result = _phase == Phase.Succeeded;
        _phase = Phase.Idle;
        return result;
    }

    internal ValueTaskSourceStatus Status(short token)
    {
        Check(token);
        return _phase is Phase.Succeeded or Phase.Ended ? ValueTaskSourceStatus.Succeeded : ValueTaskSourceStatus.Pending;
    }

    internal void OnCompleted(Action<object?> continuation, object? state, short token)
    {
        Check(token);
        if (_phase != Phase.Waiting)
        {
            continuation(state);
            return;
        }

        _continuation = continuation;
        _state = state;
    }

    private void Check(short token)
    {
        if (token != _version)
            throw new InvalidOperationException("The wait was awaited twice.");
    }
}
