namespace Mesh.Waypoint.Resilience;

/// <summary>Limits of a cluster in one waypoint (reference 2.4). Checked without a lock: a slight overshoot is normal, as in Envoy.</summary>
internal sealed record ConnectionLimits
{
    private const uint Unlimited = uint.MaxValue;

    public uint MaxConnections { get; init; } = Unlimited;

    public uint MaxPendingRequests { get; init; } = Unlimited;

    public uint MaxRequests { get; init; } = Unlimited;

    public uint MaxRequestsPerConnection { get; init; }

    public uint MaxRetries { get; init; } = Unlimited;

    public double? RetryBudgetPercent { get; init; }

    public uint RetryBudgetMinimum { get; init; } = 3;

    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromHours(1);

    public TimeSpan? MaxConnectionDuration { get; init; }

    public bool UseClientProtocol { get; init; }

    public bool UpgradeToHttp2 { get; init; }

    public static ConnectionLimits Compile(V1.ConnectionPool? pool) => pool is null ? new ConnectionLimits() : new ConnectionLimits
    {
        MaxConnections = pool.MaxConnections ?? Unlimited,
        MaxPendingRequests = pool.MaxPendingRequests ?? Unlimited,
        MaxRequests = pool.MaxRequests ?? Unlimited,
        MaxRequestsPerConnection = pool.MaxRequestsPerConnection ?? 0,
        MaxRetries = pool.MaxRetries ?? Unlimited,
        RetryBudgetPercent = pool.RetryBudget is null ? null : pool.RetryBudget.Percent ?? 20,
        RetryBudgetMinimum = pool.RetryBudget?.MinConcurrency ?? 3,
        ConnectTimeout = pool.ConnectTimeout?.ToTimeSpan() ?? TimeSpan.FromSeconds(10),
        IdleTimeout = pool.IdleTimeout?.ToTimeSpan() ?? TimeSpan.FromHours(1),
        MaxConnectionDuration = pool.MaxConnectionDuration?.ToTimeSpan(),
        UseClientProtocol = pool.UseClientProtocol,
        UpgradeToHttp2 = pool.H2Upgrade,
    };
}

/// <summary>What a cluster has under way at this moment.</summary>
internal sealed class CircuitState
{
    private int _requests;
    private int _retries;
    private int _connections;
    private int _pending;

    public int Requests => Volatile.Read(ref _requests);

    public int Retries => Volatile.Read(ref _retries);

    public bool TryEnterRequest(ConnectionLimits limits) => TryEnter(ref _requests, limits.MaxRequests);

    public void LeaveRequest() => Interlocked.Decrement(ref _requests);

    public int Connections => Volatile.Read(ref _connections);

    public int Pending => Volatile.Read(ref _pending);

    /// <param name="force">An endpoint's first connection is always made, or requests to it would wait for ever (as in Envoy).</param>
    public bool TryEnterConnection(ConnectionLimits limits, bool force)
    {
        if (TryEnter(ref _connections, limits.MaxConnections))
            return true;
        if (force)
            Interlocked.Increment(ref _connections);
        return force;
    }

    public void LeaveConnection() => Interlocked.Decrement(ref _connections);

    /// <summary>A request that waits for a connection, be it one that is being made.</summary>
    public bool TryEnterPending(ConnectionLimits limits) => TryEnter(ref _pending, limits.MaxPendingRequests);

    public void LeavePending() => Interlocked.Decrement(ref _pending);

    /// <summary>With a budget: a share of the active requests, but always a few; else the fixed limit.</summary>
    public bool TryEnterRetry(ConnectionLimits limits) => TryEnter(ref _retries, RetryLimit(limits, Requests));

    public void LeaveRetry() => Interlocked.Decrement(ref _retries);

    public static uint RetryLimit(ConnectionLimits limits, int activeRequests) => limits.RetryBudgetPercent is { } percent
        ? Math.Max(limits.RetryBudgetMinimum, (uint)(activeRequests * percent / 100))
        : limits.MaxRetries;

    private static bool TryEnter(ref int counter, uint limit)
    {
        if (Interlocked.Increment(ref counter) <= limit)
            return true;
        Interlocked.Decrement(ref counter);
        return false;
    }
}
