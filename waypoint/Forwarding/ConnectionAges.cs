using Mesh.Waypoint.Resilience;

namespace Mesh.Waypoint.Forwarding;

/// <summary>How long connections to an application live.</summary>
internal static class ConnectionAges
{
    private static readonly TimeSpan ShortestSweep = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestSweep = TimeSpan.FromMinutes(1);

    /// <summary>How often to look for connections that are idle or old; null: neither is limited.</summary>
    public static TimeSpan? SweepPeriod(ConnectionLimits limits)
    {
        var shortest = Shorter(limits.IdleTimeout, limits.MaxConnectionDuration ?? TimeSpan.Zero);
        return shortest > TimeSpan.Zero ? TimeSpan.FromTicks(Math.Clamp(shortest.Ticks / 4, ShortestSweep.Ticks, LongestSweep.Ticks)) : null;
    }

    public static bool IsTooOld(ConnectionLimits limits, long openedAt, TimeProvider time) =>
        limits.MaxConnectionDuration is { Ticks: > 0 } longest && time.GetElapsedTime(openedAt) >= longest;

    private static TimeSpan Shorter(TimeSpan a, TimeSpan b) => a <= TimeSpan.Zero ? b : b <= TimeSpan.Zero || a < b ? a : b;
}
