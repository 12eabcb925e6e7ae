namespace Mesh.Testing;

/// <summary>A clock that only moves when the test says so; timers fire inside <see cref="Advance"/>, in order of their due time.</summary>
public sealed class ManualTimeProvider(DateTimeOffset start) : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<ManualTimer> _timers = [];
    private DateTimeOffset _now = start;
    private TaskCompletionSource _timersChanged = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ManualTimeProvider()
        : this(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero))
    {
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <summary>When the next timer is due; null when none is set.</summary>
    public DateTimeOffset? NextDue
    {
        get
        {
            lock (_gate)
                return NextLocked()?.Due;
        }
    }

    public override DateTimeOffset GetUtcNow()
    {
        lock (_gate)
            return _now;
    }

    public override long GetTimestamp() => GetUtcNow().Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves the clock, stopping at each timer on the way.</summary>
    public void Advance(TimeSpan by)
    {
        var target = GetUtcNow() + by;
        while (true)
        {
            ManualTimer? due;
            lock (_gate)
            {
                due = NextLocked();
                if (due is null || due.Due > target)
                {
                    _now = target > _now ? target : _now;
                    return;
                }

                _now = due.Due!.Value > _now ? due.Due.Value : _now;
                due.RearmLocked(_now);
            }

            due.Fire();
        }
    }

    /// <summary>A jump as an administrator's or a suspended machine's: the clock moves at once, timers that are due fire at the new time.</summary>
    public void Jump(TimeSpan by)
    {
        lock (_gate)
            _now += by;
        Advance(TimeSpan.Zero);
    }

    /// <summary>Completes when a timer is due within <paramref name="within"/> from now: work on other threads has got as far as waiting.</summary>
    public async Task TimerIsSetAsync(TimeSpan within)
    {
        while (true)
        {
            Task changed;
            lock (_gate)
            {
                if (NextLocked()?.Due <= _now + within)
                    return;
                changed = _timersChanged.Task;
            }

            await changed;
        }
    }

    private ManualTimer? NextLocked()
    {
        ManualTimer? next = null;
        foreach (var timer in _timers)
        {
            if (timer.Due is not null && (next is null || timer.Due < next.Due))
                next = timer;
        }

        return next;
    }

    private void ChangedLocked()
    {
        var changed = _timersChanged;
        _timersChanged = new(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }

    private sealed class ManualTimer(ManualTimeProvider owner, TimerCallback callback, object? state) : ITimer
    {
        private TimeSpan _period = Timeout.InfiniteTimeSpan;

        // under the owner's gate
        public DateTimeOffset? Due { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (owner._gate)
            {
                _period = period;
                Due = dueTime == Timeout.InfiniteTimeSpan ? null : owner._now + dueTime;
                owner._timers.Remove(this);
                if (Due is not null)
                    owner._timers.Add(this);
                owner.ChangedLocked();
            }

            return true;
        }

        public void RearmLocked(DateTimeOffset now)
        {
            Due = _period > TimeSpan.Zero ? now + _period : null;
            if (Due is null)
                owner._timers.Remove(this);
        }

        public void Fire() => callback(state);

        public void Dispose()
        {
            lock (owner._gate)
            {
                Due = null;
                owner._timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
