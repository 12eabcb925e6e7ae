using System.Threading.Tasks.Sources;

namespace Mesh.Net.Loop;

/// <summary>
/// The wait of a pipe's reader or writer. Begun by its user on any thread, ended on the loop only, where the continuation runs inline: whoever waits is
/// on the loop from then on.
/// </summary>
internal struct PipeWait
{
    private ManualResetValueTaskSourceCore<bool> _core;
    private CancellationTokenRegistration _registration;
    private int _waiting;
    private int _cancelled;
    private int _tokenFired;

    internal readonly short Token => _core.Version;

    internal bool IsWaiting => Volatile.Read(ref _waiting) != 0;

    /// <summary>The wait has to end, whatever has come.</summary>
    internal bool IsCancelled => Volatile.Read(ref _cancelled) != 0 || Volatile.Read(ref _tokenFired) != 0;

    internal void Begin(CancellationToken cancellation, Action<object?> onToken, object owner)
    {
        _core.Reset();
        if (cancellation.CanBeCanceled)
            _registration = cancellation.UnsafeRegister(onToken, owner);

        // A full fence, as in Cancel: of a wait that begins and a cancelling at the same moment at least one sees the other.
        Interlocked.Exchange(ref _waiting, 1);
    }

    /// <summary>The current wait, or the next one where nobody waits, gives a result that says it was cancelled.</summary>
    internal void Cancel() => Interlocked.Exchange(ref _cancelled, 1);

    internal void FireToken() => Interlocked.Exchange(ref _tokenFired, 1);

    internal bool TakeCancelled() => Volatile.Read(ref _cancelled) != 0 && Interlocked.Exchange(ref _cancelled, 0) != 0;

    /// <summary>On the loop. Its last act: the continuation runs inside.</summary>
    internal void Complete()
    {
        if (Interlocked.Exchange(ref _waiting, 0) != 0)
            _core.SetResult(true);
    }

    /// <exception cref="OperationCanceledException">The token of the wait was cancelled.</exception>
    internal void End(short token)
    {
        _core.GetResult(token);
        var registration = _registration;
        if (registration == default)
            return;
        _registration = default;
        registration.Dispose();
        if (Interlocked.Exchange(ref _tokenFired, 0) != 0)
            throw new OperationCanceledException(registration.Token);
    }

    internal readonly ValueTaskSourceStatus Status(short token) => _core.GetStatus(token);

    // Inline on the loop instead of by a post to it.
    internal void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags & ~ValueTaskSourceOnCompletedFlags.UseSchedulingContext);
}
