namespace Mesh.Waypoint.Balancing;

/// <summary>One thing that happened at an endpoint, as outlier detection sees it.</summary>
/// <param name="WasConnected">A local failure on a connection that stood: that it stood is a success of its own when local failures are split.</param>
internal readonly record struct EndpointResult(int Status, bool IsLocalOrigin, bool WasConnected = false)
{
    /// <summary>An answer of the application (for gRPC the status in the response headers, mapped to HTTP).</summary>
    public static EndpointResult Response(int status) => new(status, IsLocalOrigin: false);

    /// <summary>No connection.</summary>
    public static readonly EndpointResult ConnectionFailed = new(503, IsLocalOrigin: true);

    /// <summary>The connection stood and broke: a reset, an early end, not HTTP.</summary>
    public static readonly EndpointResult Broken = new(503, IsLocalOrigin: true, WasConnected: true);

    public static readonly EndpointResult TimedOut = new(504, IsLocalOrigin: true);

    /// <summary>A connection that is not HTTP could be made.</summary>
    public static readonly EndpointResult Connected = new(200, IsLocalOrigin: true);
}

/// <summary>The counters of one endpoint. Lives as long as the endpoint does, whatever else changes in the configuration.</summary>
internal sealed class OutlierCounters
{
    // Written under the detector's gate only; IsEjected and the counters are read without it.
    internal int Errors5xx;
    internal int GatewayErrors;
    internal int LocalFailures;
    internal int Multiplier;
    internal DateTimeOffset EjectedAt;
    internal DateTimeOffset? LastUnejected;
    private volatile bool _ejected;

    public bool IsEjected
    {
        get => _ejected;
        internal set => _ejected = value;
    }

    /// <summary>How often it was ejected in a row: the ejection time is this times the base.</summary>
    public int EjectionMultiplier => Multiplier;

    internal bool IsClean => (Volatile.Read(ref Errors5xx) | Volatile.Read(ref GatewayErrors) | Volatile.Read(ref LocalFailures)) == 0;
}

/// <summary>
/// Envoy's consecutive-error ejection (reference 2.5, arithmetic 1-5): counts inline with the requests, ejects at the threshold when the
/// percentage allows it, gives back on a tick of the interval. No clock and no timer of its own: the owner calls <see cref="Tick"/>.
/// A success at an endpoint without errors, the steady case, touches nothing.
/// </summary>
internal sealed class OutlierDetector(OutlierSettings settings, TimeProvider time)
{
    private readonly Lock _gate = new();
    private IReadOnlyList<OutlierCounters> _hosts = [];
    private int _ejected;

    public OutlierSettings Settings => settings;

    public int EjectedCount => Volatile.Read(ref _ejected);

    /// <summary>The endpoints of the cluster, all priorities; those that stay keep their counters and their ejection.</summary>
    public void SetHosts(IReadOnlyList<OutlierCounters> hosts)
    {
        lock (_gate)
        {
            _hosts = hosts;
            _ejected = hosts.Count(h => h.IsEjected);
        }
    }

    /// <returns>True where this result ejected the endpoint.</returns>
    public bool Report(OutlierCounters host, EndpointResult result)
    {
        if (result.Status < 500 && host.IsClean)
            return false;
        lock (_gate)
            return ReportLocked(host, result);
    }

    /// <summary>Called every <see cref="OutlierSettings.Interval"/>.</summary>
    /// <returns>True where an endpoint came back.</returns>
    public bool Tick()
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            var changed = false;
            foreach (var host in _hosts)
            {
                if (host.IsEjected)
                {
                    if (now - host.EjectedAt < EjectionTime(host.Multiplier))
                        continue;
                    host.IsEjected = false;
                    host.LastUnejected = now;
                    ResetCounters(host);
                    _ejected--;
                    changed = true;
                }
                else if (host.Multiplier > 0 && host.LastUnejected is { } back && now - back >= settings.Interval)
                {
                    host.Multiplier--;
                }
            }

            return changed;
        }
    }

    /// <summary>n x base, at most the maximum.</summary>
    public TimeSpan EjectionTime(int multiplier)
    {
        var time = settings.BaseEjectionTime * multiplier;
        return time < settings.MaxEjectionTime ? time : settings.MaxEjectionTime;
    }

    private bool ReportLocked(OutlierCounters host, EndpointResult result)
    {
        if (result.IsLocalOrigin && settings.SplitLocalOrigin)
        {
            if (result.Status < 500)
            {
                host.LocalFailures = 0;
                return false;
            }

            host.LocalFailures = result.WasConnected ? 1 : host.LocalFailures + 1;
            return Reached(host.LocalFailures, settings.ConsecutiveLocalOriginFailures) && TryEjectLocked(host, ref host.LocalFailures);
        }

        if (result.Status < 500)
        {
            host.Errors5xx = 0;
            host.GatewayErrors = 0;
            return false;
        }

        if (result.Status is 502 or 503 or 504)
        {
            host.GatewayErrors++;
            if (Reached(host.GatewayErrors, settings.ConsecutiveGatewayErrors) && TryEjectLocked(host, ref host.GatewayErrors))
            {
                host.Errors5xx++;
                return true;
            }
        }
        else
        {
            host.GatewayErrors = 0;
        }

        host.Errors5xx++;
        return Reached(host.Errors5xx, settings.Consecutive5xx) && TryEjectLocked(host, ref host.Errors5xx);
    }

    private static bool Reached(int count, int threshold) => threshold > 0 && count == threshold;

    private bool TryEjectLocked(OutlierCounters host, ref int counter)
    {
        if (host.IsEjected)
            return false;
        var total = _hosts.Count;
        var allowed = 100 * (_ejected + 1) <= settings.MaxEjectionPercent * total
            || (settings.AlwaysEjectOne && _ejected == 0 && total > 1);
        if (!allowed)
        {
            // The endpoint stays and has to fail as often again.
            counter = 0;
            return false;
        }

        _ejected++;
        host.EjectedAt = time.GetUtcNow();
        if (settings.BaseEjectionTime * host.Multiplier < settings.MaxEjectionTime + settings.BaseEjectionTime)
            host.Multiplier++;
        host.IsEjected = true;
        return true;
    }

    private static void ResetCounters(OutlierCounters host)
    {
        host.Errors5xx = 0;
        host.GatewayErrors = 0;
        host.LocalFailures = 0;
    }
}
