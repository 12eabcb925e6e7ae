using System.Globalization;

namespace Mesh.Kubernetes.Requests;

/// <summary>Our clock against the API server's, in words. Certificates that one machine issues are judged by the clocks of others.</summary>
public static class ClockDifference
{
    /// <summary>A quarter of what the control plane dates certificates back: time to mend the clock before the first handshake fails.</summary>
    public static readonly TimeSpan Most = TimeSpan.FromSeconds(30);

    /// <returns>Null: near enough. In whole minutes above one: a text that changes with each answer would be news each time.</returns>
    public static string? Describe(TimeSpan ahead)
    {
        if (ahead.Duration() < Most)
            return null;
        var by = ahead.Duration() < TimeSpan.FromMinutes(1) ? "half a minute" : string.Create(CultureInfo.InvariantCulture, $"{Math.Round(ahead.Duration().TotalMinutes)} min");
        return $"{by} {(ahead > TimeSpan.Zero ? "ahead of" : "behind")} the API server's";
    }
}
