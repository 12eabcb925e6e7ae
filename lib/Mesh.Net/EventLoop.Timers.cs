using Mesh.Net.Loop;

namespace Mesh.Net;

public sealed partial class EventLoop
{
    private const int TicksPerSecond = 100; // 10 ms: finer than any deadline here, coarse enough to share wake-ups

    /// <summary>What lay unused in the buffer pool for this long is given back.</summary>
    private static readonly TimeSpan s_trimInterval = TimeSpan.FromSeconds(5);

    private readonly TimerWheel _wheel = new();
    private readonly long _origin;
    private readonly long _ticksFrequency;
    private readonly ITimer? _alarm;   // a clock that is not the system's cannot be slept on
    private LoopTimer? _trim;

    /// <summary>Calls back once, after <paramref name="delay"/>.</summary>
    public LoopTimer Schedule(TimeSpan delay, Action callback) => Schedule(delay, static action => ((Action)action!)(), callback);

    /// <summary>Calls back once, after <paramref name="delay"/>, with a state instead of a closure.</summary>
    public LoopTimer Schedule(TimeSpan delay, Action<object?> callback, object? state)
    {
        var timer = CreateTimer(callback, state);
        timer.Start(delay);
        return timer;
    }

    /// <summary>A timer that its owner starts, moves and cancels as often as it likes.</summary>
    public LoopTimer CreateTimer(Action<object?> callback, object? state)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return new LoopTimer(this, callback, state);
    }

    internal void StartTimer(LoopTimer timer, TimeSpan delay)
    {
        EnsureInLoop();
        if (timer.IsActive)
            _wheel.Remove(timer);

        // From the true time, not from the iteration's: a timer must never fire early. Rounded up to a whole tick for the same reason.
        var ticks = TickOf(Time.GetTimestamp());
        var wanted = Math.Max(delay.Ticks, 0) / (TimeSpan.TicksPerSecond / (double)TicksPerSecond);
        var due = ticks.Whole + ticks.Fraction + Math.Min(wanted, TimerWheel.MaxTick);
        _wheel.Add(timer, (long)Math.Ceiling(due));
        Metrics.SetTimers(_wheel.Count);
    }

    internal void CancelTimer(LoopTimer timer)
    {
        EnsureInLoop();
        if (!timer.IsActive)
            return;
        _wheel.Remove(timer);
        Metrics.SetTimers(_wheel.Count);
    }

    internal void BufferReturned()
    {
        _trim ??= CreateTimer(static loop => ((EventLoop)loop!).TrimBuffers(), this);
        if (!_trim.IsActive)
            _trim.Start(s_trimInterval);
    }

    private void TrimBuffers()
    {
        // Runs on only while something is kept: an idle loop does not wake up.
        if (_buffers.Trim())
            _trim!.Start(s_trimInterval);
    }

    private void AdvanceTimers()
    {
        if (_wheel.Count == 0)
            return;
        _wheel.Advance(TickOf(_now).Whole, this, static (loop, timer) =>
        {
            try
            {
                timer.Callback(timer.State);
            }
            catch (Exception e)
            {
                loop.Unhandled(e, "a timer");
            }
        });
        Metrics.SetTimers(_wheel.Count);
    }

    private int MillisecondsToNextTimer()
    {
        var next = _wheel.NextTick();
        if (next < 0)
            return -1;
        var now = TickOf(Time.GetTimestamp());
        var wait = (next - now.Whole - now.Fraction) * (1000.0 / TicksPerSecond);
        var milliseconds = (int)Math.Clamp(Math.Ceiling(wait), 0, int.MaxValue);
        if (_alarm is null || milliseconds == 0)
            return milliseconds;
        _alarm.Change(TimeSpan.FromMilliseconds(milliseconds), Timeout.InfiniteTimeSpan);
        return -1;
    }

    private (long Whole, double Fraction) TickOf(long timestamp)
    {
        var elapsed = timestamp - _origin;
        var seconds = elapsed / _ticksFrequency;
        var rest = (elapsed % _ticksFrequency) * (double)TicksPerSecond / _ticksFrequency;
        var whole = (long)rest;
        return ((seconds * TicksPerSecond) + whole, rest - whole);
    }
}
