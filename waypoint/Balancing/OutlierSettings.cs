namespace Mesh.Waypoint.Balancing;

/// <summary>When an endpoint that fails is left alone for a while. Defaults are Istio's (reference 2.5).</summary>
internal sealed record OutlierSettings
{
    /// <summary>0: off.</summary>
    public int Consecutive5xx { get; init; } = 5;

    /// <summary>502, 503, 504 and failures made here; 0: off.</summary>
    public int ConsecutiveGatewayErrors { get; init; }

    /// <summary>Counts only with <see cref="SplitLocalOrigin"/>.</summary>
    public int ConsecutiveLocalOriginFailures { get; init; } = 5;

    /// <summary>Failures of the connection do not count as 5xx but on their own.</summary>
    public bool SplitLocalOrigin { get; init; }

    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(10);

    public TimeSpan BaseEjectionTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Envoy's max_ejection_time is 300 s, and never below the base.</summary>
    public TimeSpan MaxEjectionTime => BaseEjectionTime > TimeSpan.FromSeconds(300) ? BaseEjectionTime : TimeSpan.FromSeconds(300);

    public int MaxEjectionPercent { get; init; } = 10;

    public bool AlwaysEjectOne { get; init; }

    public static OutlierSettings? Compile(V1.OutlierDetection? o)
    {
        if (o is null)
            return null;
        var settings = new OutlierSettings
        {
            Consecutive5xx = (int)(o.Consecutive5Xx ?? 5),
            ConsecutiveGatewayErrors = (int)(o.ConsecutiveGatewayErrors ?? 0),
            ConsecutiveLocalOriginFailures = (int)(o.ConsecutiveLocalOriginFailures ?? 5),
            SplitLocalOrigin = o.SplitExternalLocalOriginErrors,
            Interval = o.Interval?.ToTimeSpan() ?? TimeSpan.FromSeconds(10),
            BaseEjectionTime = o.BaseEjectionTime?.ToTimeSpan() ?? TimeSpan.FromSeconds(30),
            MaxEjectionPercent = o.MaxEjectionPercent == 0 ? 10 : (int)o.MaxEjectionPercent,
            AlwaysEjectOne = o.AlwaysEjectOne,
        };
        if (settings.Interval <= TimeSpan.Zero || settings.BaseEjectionTime <= TimeSpan.Zero)
            throw new ConfigurationException("outlier detection: interval and base ejection time must be positive");
        return settings;
    }
}
