namespace Mesh.Waypoint.Forwarding;

/// <summary>Envoy's response flags (reference 2.7), in the order in which they are joined.</summary>
[Flags]
internal enum ResponseFlags
{
    None = 0,
    RetryLimitExceeded = 1 << 0,
    NoHealthyUpstream = 1 << 1,
    UpstreamConnectionFailure = 1 << 2,
    UpstreamOverflow = 1 << 3,
    NoRouteFound = 1 << 4,
    NoClusterFound = 1 << 5,
    UpstreamRequestTimeout = 1 << 6,
    UpstreamRemoteReset = 1 << 7,
    UpstreamConnectionTermination = 1 << 8,
    UpstreamProtocolError = 1 << 9,
    DownstreamConnectionTermination = 1 << 10,
    DownstreamProtocolError = 1 << 11,
    DelayInjected = 1 << 12,
    FaultInjected = 1 << 13,
    RateLimited = 1 << 14,
    UnauthorizedExternalService = 1 << 15,
    LocalReset = 1 << 16,
    StreamIdleTimeout = 1 << 17,
    MaxStreamDurationReached = 1 << 18,
    RateLimitServiceError = 1 << 20,
}

internal static class ResponseFlagsText
{
    private static readonly (ResponseFlags Flag, string Text)[] Names =
    [
        // What was done on purpose comes before what came of it.
        (ResponseFlags.DelayInjected, "DI"),
        (ResponseFlags.FaultInjected, "FI"),
        (ResponseFlags.RetryLimitExceeded, "URX"),
        (ResponseFlags.NoHealthyUpstream, "UH"),
        (ResponseFlags.UpstreamConnectionFailure, "UF"),
        (ResponseFlags.UpstreamOverflow, "UO"),
        (ResponseFlags.NoRouteFound, "NR"),
        (ResponseFlags.NoClusterFound, "NC"),
        (ResponseFlags.UpstreamRequestTimeout, "UT"),
        (ResponseFlags.UpstreamRemoteReset, "UR"),
        (ResponseFlags.UpstreamConnectionTermination, "UC"),
        (ResponseFlags.UpstreamProtocolError, "UPE"),
        (ResponseFlags.DownstreamConnectionTermination, "DC"),
        (ResponseFlags.DownstreamProtocolError, "DPE"),
        (ResponseFlags.RateLimited, "RL"),
        (ResponseFlags.UnauthorizedExternalService, "UAEX"),
        (ResponseFlags.LocalReset, "LR"),
        (ResponseFlags.StreamIdleTimeout, "SI"),
        (ResponseFlags.MaxStreamDurationReached, "UMSDR"),
        (ResponseFlags.RateLimitServiceError, "RLSE"),
    ];

    /// <summary>Without a box, in code that is not optimised yet too.</summary>
    public static bool Has(this ResponseFlags flags, ResponseFlags flag) => (flags & flag) != 0;

    /// <summary>The short names joined by commas; <c>-</c> for none.</summary>
    public static string ToText(this ResponseFlags flags)
    {
        if (flags == ResponseFlags.None)
            return "-";
        foreach (var (flag, text) in Names)
        {
            if (flags == flag)
                return text;
        }

        return string.Join(',', Names.Where(n => flags.HasFlag(n.Flag)).Select(n => n.Text));
    }
}
