namespace Mesh.IstiodLite.Resources;

internal enum SpanTagSource
{
    Literal,
    Environment,
    Header,
    Format,
}

internal sealed record SpanTagRule(string Name, SpanTagSource Source, string Argument, string? Fallback);

/// <summary>One entry of Telemetry.tracing; null fields say nothing and leave what holds.</summary>
internal sealed record TracingRules
{
    public IReadOnlyList<string> Providers { get; init; } = [];
    public double? SamplingPercent { get; init; }
    public bool? DisableReporting { get; init; }
    public bool? EnableIstioTags { get; init; }
    public bool? DisablePropagation { get; init; }
    public IReadOnlyList<SpanTagRule> Tags { get; init; } = [];
}

/// <summary>One entry of Telemetry.accessLogging.</summary>
internal sealed record AccessLoggingRules(bool? Disabled, bool HasFilter);

internal sealed class TelemetryResource : TargetedPolicy
{
    public override string Kind => "Telemetry";
    public IReadOnlyList<TracingRules> Tracing { get; init; } = [];
    public IReadOnlyList<AccessLoggingRules> AccessLogging { get; init; } = [];
    public bool HasMetrics { get; init; }
}
