namespace Mesh.Waypoint.Forwarding;

/// <summary>
/// The route timeout: covers all tries and the pauses between them, and starts when the client's request has arrived completely - so a call whose
/// request never ends is never cut by it (reference 1.7).
/// </summary>
internal sealed class RequestDeadline : IDisposable
{
    /// <summary>Timers take no more; a client's <c>grpc-timeout</c> can be thousands of years.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(int.MaxValue);

    private readonly TimeProvider _time;
    private readonly TimeSpan? _timeout;
    private readonly CancellationTokenSource? _elapsed;
    private readonly CancellationTokenSource? _either;
    private readonly CancellationToken _clientGone;
    private long _startedAt;

    public RequestDeadline(TimeSpan? timeout, TimeProvider time, CancellationToken clientGone, CancellationToken streamOver = default)
    {
        _time = time;
        _timeout = timeout > Longest ? Longest : timeout;
        _clientGone = clientGone;

        // Most requests have no time of their own: nothing is made for them.
        if (timeout is null && !streamOver.CanBeCanceled)
            return;
        _elapsed = timeout is null ? new CancellationTokenSource() : new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _either = CancellationTokenSource.CreateLinkedTokenSource(_elapsed.Token, clientGone, streamOver);
    }

    /// <summary>Cancelled by the timeout, by the client's leaving or by a time of the stream's own.</summary>
    public CancellationToken Token => _either?.Token ?? _clientGone;

    public bool HasElapsed => _elapsed?.IsCancellationRequested == true;

    /// <summary>Null: no timeout. Before the request is complete that is the whole of it.</summary>
    public TimeSpan? Remaining => _timeout is not { } timeout ? null
        : _startedAt == 0 ? timeout
        : TimeSpan.FromTicks(Math.Max(0, (timeout - _time.GetElapsedTime(_startedAt)).Ticks));

    /// <summary>The whole of it, whatever has passed.</summary>
    public TimeSpan? Whole => _timeout;

    public void Start()
    {
        if (_timeout is not { } timeout || _startedAt != 0)
            return;
        _startedAt = _time.GetTimestamp();
        _elapsed!.CancelAfter(timeout);
    }

    /// <summary>The route's time does not count any more: the stream is a tunnel now (reference 7.4).</summary>
    public void Stop() => _elapsed?.CancelAfter(Timeout.InfiniteTimeSpan);

    public void Dispose()
    {
        _either?.Dispose();
        _elapsed?.Dispose();
    }
}
