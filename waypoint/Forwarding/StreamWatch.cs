namespace Mesh.Waypoint.Forwarding;

/// <summary>Which of the times of a stream is over.</summary>
internal enum StreamTime
{
    None,

    /// <summary>Nothing moved in either direction.</summary>
    Idle,

    /// <summary>The request did not arrive completely.</summary>
    Request,

    /// <summary>The whole took too long.</summary>
    Duration,
}

/// <summary>The times of one stream that are the waypoint's own and not the route's (reference 7.6). Only where one of them is set.</summary>
internal sealed class StreamWatch : IDisposable
{
    private readonly TimeProvider _time;
    private readonly TimeSpan _idle;
    private readonly CancellationTokenSource _elapsed = new();
    private readonly ITimer? _idleTimer;
    private readonly ITimer? _requestTimer;
    private readonly ITimer? _durationTimer;
    private long _lastActive;
    private int _first;

    private StreamWatch(WaypointLimits limits, TimeProvider time)
    {
        _time = time;
        _idle = limits.StreamIdleTimeout;
        _lastActive = time.GetTimestamp();
        _idleTimer = Timer(_idle, static w => w.OnIdleTimer());
        _requestTimer = Timer(limits.RequestTimeout, static w => w.Expire(StreamTime.Request));
        _durationTimer = Timer(limits.MaxStreamDuration, static w => w.Expire(StreamTime.Duration));
    }

    public CancellationToken Token => _elapsed.Token;

    public StreamTime Elapsed => (StreamTime)Volatile.Read(ref _first);

    public bool RequestIsComplete { get; private set; }

    /// <returns>Null: none is set.</returns>
    public static StreamWatch? Start(WaypointLimits limits, TimeProvider time) => limits.HasStreamTimes ? new StreamWatch(limits, time) : null;

    /// <summary>A byte has moved.</summary>
    public void Touch() => Volatile.Write(ref _lastActive, _time.GetTimestamp());

    public void RequestCompleted()
    {
        RequestIsComplete = true;
        _requestTimer?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Dispose()
    {
        _idleTimer?.Dispose();
        _requestTimer?.Dispose();
        _durationTimer?.Dispose();
    }

    private ITimer? Timer(TimeSpan after, Action<StreamWatch> callback) =>
        after <= TimeSpan.Zero ? null : _time.CreateTimer(w => callback((StreamWatch)w!), this, after, Timeout.InfiniteTimeSpan);

    // One timer that is moved on when it fires, instead of one that is moved with every byte.
    private void OnIdleTimer()
    {
        var left = _idle - _time.GetElapsedTime(Volatile.Read(ref _lastActive));
        if (left <= TimeSpan.Zero)
            Expire(StreamTime.Idle);
        else
            _idleTimer?.Change(left, Timeout.InfiniteTimeSpan);
    }

    private void Expire(StreamTime which)
    {
        if (Interlocked.CompareExchange(ref _first, (int)which, (int)StreamTime.None) == (int)StreamTime.None)
            _elapsed.Cancel();
    }
}
