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
internal sealed record AccessLoggingRules
{
    public IReadOnlyList<string> Providers { get; init; } = [];
    public bool? Disabled { get; init; }
    public string? Filter { get; init; }
    public int FilterLine { get; init; }
}

internal sealed record MetricTagRule(string Name, bool Remove, string Value);

/// <summary>One override of Telemetry.metrics; the metric is Istio's word, or a name.</summary>
internal sealed record MetricOverrideRules(string Metric, int Line, bool? Disabled, IReadOnlyList<MetricTagRule> Tags);

/// <summary>One entry of Telemetry.metrics.</summary>
internal sealed record MetricsRules(IReadOnlyList<string> Providers, IReadOnlyList<MetricOverrideRules> Overrides);

internal sealed class TelemetryResource : TargetedPolicy
{
    public override string Kind => "Telemetry";
    public IReadOnlyList<TracingRules> Tracing { get; init; } = [];
    public IReadOnlyList<AccessLoggingRules> AccessLogging { get; init; } = [];
    public IReadOnlyList<MetricsRules> Metrics { get; init; } = [];
}
