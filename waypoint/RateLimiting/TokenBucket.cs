namespace Mesh.Waypoint.RateLimiting;

/// <summary>How fast tokens come back and how many a bucket holds, in ticks of the clock's timestamp.</summary>
internal sealed class BucketRate
{
    // A bucket of centuries would overflow the arithmetic below and mean nothing.
    private static readonly TimeSpan LongestFill = TimeSpan.FromDays(366);

    /// <exception cref="ConfigurationException">Nothing would ever pass, or the bucket takes longer than a year to fill.</exception>
    public BucketRate(long requests, TimeSpan interval, long burst, TimeProvider time)
    {
        if (requests < 1 || burst < 1 || interval <= TimeSpan.Zero)
            throw new ConfigurationException($"a token bucket needs at least 1 request, 1 place and an interval, not {requests}, {burst} and {interval}");
        var ticks = interval.TotalSeconds * time.TimestampFrequency / requests;
        if (ticks * burst / time.TimestampFrequency > LongestFill.TotalSeconds)
            throw new ConfigurationException($"a bucket of {burst} that regains {requests} in {interval} takes longer than {LongestFill.TotalDays:0} days to fill");
        Emission = Math.Max(1, (long)ticks);
        Burst = burst;
        Interval = interval;
        Requests = requests;
    }

    public long Requests { get; }

    public TimeSpan Interval { get; }

    public long Burst { get; }

    /// <summary>Time that one token takes to come back.</summary>
    public long Emission { get; }

    /// <summary>Time that an empty bucket takes to fill.</summary>
    public long Capacity => Emission * Burst;
}

/// <summary>What taking a token came to.</summary>
/// <param name="Remaining">Whole tokens left.</param>
/// <param name="Wait">Until the next token where there was none; else zero.</param>
/// <param name="UntilFull">Until the bucket is as it was at first.</param>
internal readonly record struct BucketResult(bool Taken, long Remaining, long Wait, long UntilFull);

/// <summary>
/// One token bucket that fills continuously: the generic cell rate algorithm, whose whole state is the moment at which the bucket is full again.
/// Any thread; no lock, no timer, nothing to do while nobody asks.
/// </summary>
/// <remarks>System.Threading.RateLimiting has buckets too, but refills them by timers of the system clock and says nothing of when.</remarks>
internal sealed class TokenBucket(BucketRate rate)
{
    private long _fullAt = long.MinValue;

    /// <param name="now">A timestamp of the clock that the rate was made for.</param>
    public BucketResult Take(long now)
    {
        while (true)
        {
            var seen = Volatile.Read(ref _fullAt);
            var start = Math.Max(seen, now);
            var fullAt = start + rate.Emission;
            if (fullAt - now > rate.Capacity)
                return new BucketResult(false, 0, fullAt - now - rate.Capacity, start - now);
            if (Interlocked.CompareExchange(ref _fullAt, fullAt, seen) == seen)
                return new BucketResult(true, (rate.Capacity - (fullAt - now)) / rate.Emission, 0, fullAt - now);
        }
    }
}
