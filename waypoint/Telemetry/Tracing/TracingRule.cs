using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Telemetry.Tracing;

/// <summary>How requests to one service are traced, compiled.</summary>
internal sealed class TracingRule
{
    private const int DefaultTagLength = 256;

    private readonly (string Name, V1.Tracing.Types.SpanTag Source, HeaderFormat? Format)[] _tags;

    /// <exception cref="ConfigurationException">A tag has a format that cannot be read.</exception>
    public TracingRule(V1.Tracing tracing)
    {
        Source = tracing;
        Fraction = tracing.SamplingPercent / 100;
        MaxTagLength = tracing.MaxTagLength == 0 ? DefaultTagLength : (int)Math.Min(tracing.MaxTagLength, int.MaxValue);
        Reporter = tracing.Cluster.Length == 0 ? null : new ReporterKey(tracing);
        _tags = [.. tracing.Tags.Select(t => (t.Name, t, t.ValueCase == V1.Tracing.Types.SpanTag.ValueOneofCase.Format ? new HeaderFormat(t.Format) : null))];
    }

    public V1.Tracing Source { get; }

    /// <summary>0 to 1.</summary>
    public double Fraction { get; }

    /// <summary>Of the URL's path.</summary>
    public int MaxTagLength { get; }

    public bool Propagates => !Source.DisableContextPropagation;

    /// <summary>Null: nothing is reported.</summary>
    public ReporterKey? Reporter { get; }

    public IEnumerable<(string Name, string Value)> Tags(Exchange exchange)
    {
        foreach (var (name, source, format) in _tags)
        {
            var value = source.ValueCase switch
            {
                V1.Tracing.Types.SpanTag.ValueOneofCase.Literal => source.Literal,
                V1.Tracing.Types.SpanTag.ValueOneofCase.Environment => Environment.GetEnvironmentVariable(source.Environment),
                V1.Tracing.Types.SpanTag.ValueOneofCase.Header => exchange.Http.Request.Headers.TryGetValue(source.Header, out var values) ? HeaderMatcher.Join(values) : null,
                V1.Tracing.Types.SpanTag.ValueOneofCase.Format => format!.Expand(exchange.FormatFacts(withResponse: true)),
                _ => null,
            };
            if (string.IsNullOrEmpty(value))
                value = source.Fallback;
            if (value.Length > 0)
                yield return (name, value);
        }
    }
}

/// <summary>What makes two services' spans go the same way: equal keys share one exporter.</summary>
internal sealed record ReporterKey(string Cluster, string Authority, string HttpPath, string Headers, TimeSpan Timeout)
{
    // Of OTLP itself.
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(10);

    public ReporterKey(V1.Tracing tracing)
        : this(
            tracing.Cluster,
            tracing.Authority,
            tracing.HttpPath,
            string.Join('\n', tracing.Headers.OrderBy(h => h.Key, StringComparer.Ordinal).Select(h => $"{h.Key}:{h.Value}")),
            tracing.Timeout?.ToTimeSpan() ?? DefaultTimeout)
    {
    }

    public IEnumerable<(string Name, string Value)> HeaderList =>
        Headers.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(h => h.Split(':', 2)).Select(h => (h[0], h[1]));

    // The default would print headers, which may hold a collector's token.
    public override string ToString() => $"{Cluster} {Authority}{HttpPath}";
}
