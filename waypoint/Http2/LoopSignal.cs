using System.Threading.Tasks.Sources;
using Mesh.Net;

namespace Mesh.Waypoint.Http2;

/// <summary>
/// One wait at a time for something that happens on a loop: begun on any thread, ended on the loop only. Who waits on that loop, or on none, goes on
/// inline there; who waits on another goes on where it was.
/// </summary>
internal sealed class LoopSignal(EventLoop loop) : IValueTaskSource
{
    private ManualResetValueTaskSourceCore<bool> _core;

    /// <summary>Must be ordered against <see cref="Set"/> by its owner.</summary>
    public ValueTask Begin()
    {
        _core.Reset();
        return new ValueTask(this, _core.Version);
    }

    /// <summary>Once for each wait; on the loop. Its last act: the continuation runs inside.</summary>
    public void Set() => _core.SetResult(true);

    void IValueTaskSource.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    // Inline on the loop instead of by a post to it.
    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, loop.InLoop ? flags & ~ValueTaskSourceOnCompletedFlags.UseSchedulingContext : flags);
}
