using Mesh.Net;

namespace Mesh.Ztunnel.Forwarding;

/// <summary>
/// Ends a connection of which one side has ended when nothing moved for the deadline: a peer that vanished without a word would
/// otherwise keep it for ever. Costs nothing until one side ends.
/// </summary>
internal sealed class HalfCloseWatch(EventLoop loop, TimeSpan deadline, Action onDeadline)
{
    private LoopTimer? _timer;
    private long _lastMove;

    public void Begin()
    {
        if (_timer is not null || deadline <= TimeSpan.Zero)
            return;
        _lastMove = loop.Now;
        Arm(deadline);
    }

    public void Moved()
    {
        if (_timer is not null)
            _lastMove = loop.Now;
    }

    public void Stop()
    {
        _timer?.Cancel();
        _timer = null;
    }

    private void Arm(TimeSpan delay) => _timer = loop.Schedule(delay, Check);

    private void Check()
    {
        var idle = loop.Time.GetElapsedTime(_lastMove, loop.Now);
        if (idle >= deadline)
            onDeadline();
        else
            Arm(deadline - idle);
    }
}
