using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

internal static class TelemetryDecoder
{
    public static Resource Telemetry(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("status");
        return root.Object("spec", spec => Read(meta, position, spec)) ?? new TelemetryResource { Meta = meta, Position = position };
    }

    private static TelemetryResource Read(ObjectMeta meta, DocumentPosition position, FieldReader spec)
    {
        return new TelemetryResource
        {
            Meta = meta,
            Position = position,
            Selector = EntryDecoder.Labels(spec, "selector", "matchLabels"),
            Targets = SecurityDecoder.Targets(spec),
            // A waypoint is the server's side of a request: what is for clients alone does not concern it.
            Tracing = [.. spec.Objects("tracing", Tracing).Where(t => t.IsForServers).Select(t => t.Rules)],
            AccessLogging = [.. spec.Objects("accessLogging", AccessLogging).Where(a => a.IsForServers).Select(a => a.Rules)],
            Metrics = spec.Objects("metrics", Metrics),
        };
    }

    private sealed record ForMode<T>(bool IsForServers, T Rules);

    private static ForMode<TracingRules> Tracing(FieldReader t)
    {
        t.Ignore("useRequestIdForTraceSampling");
        return new ForMode<TracingRules>(IsForServers(t), new TracingRules
        {
            Providers = Providers(t),
            SamplingPercent = t.Double("randomSamplingPercentage", 0, 100),
            DisableReporting = t.Bool("disableSpanReporting"),
            EnableIstioTags = t.Bool("enableIstioTags"),
            DisablePropagation = t.Bool("disableContextPropagation"),
            Tags = [.. (t.Map("customTags", (node, field) => t.ReadObject(node, field, Tag)) ?? new Dictionary<string, SpanTagRule?>(StringComparer.Ordinal))
                .Where(tag => tag.Value is not null).OrderBy(tag => tag.Key, StringComparer.Ordinal).Select(tag => tag.Value! with { Name = tag.Key })],
        });
    }

    private static ForMode<AccessLoggingRules> AccessLogging(FieldReader a)
    {
        string? filter = null;
        var line = a.LineOf("filter");
        a.Object("filter", f => filter = f.Required("expression"));
        return new ForMode<AccessLoggingRules>(IsForServers(a), new AccessLoggingRules { Providers = Providers(a), Disabled = a.Bool("disabled"), Filter = filter, FilterLine = line });
    }

    private static MetricsRules Metrics(FieldReader m)
    {
        m.Ignore("reportingInterval");
        return new MetricsRules(Providers(m), [.. m.Objects("overrides", Override).Where(o => o.IsForServers).Select(o => o.Rules)]);
    }

    private static ForMode<MetricOverrideRules> Override(FieldReader o)
    {
        var isForServers = true;
        string? metric = null;
        o.Object("match", m =>
        {
            isForServers = Mode(m);
            metric = m.String("metric") ?? m.String("customMetric");
        });
        var tags = o.Map("tagOverrides", (node, field) => o.ReadObject(node, field, MetricTag)) ?? new Dictionary<string, MetricTagRule?>(StringComparer.Ordinal);
        return new ForMode<MetricOverrideRules>(isForServers, new MetricOverrideRules(metric ?? "ALL_METRICS", o.Line, o.Bool("disabled"),
            [.. tags.Where(t => t.Value is not null).OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => t.Value! with { Name = t.Key })]));
    }

    private static MetricTagRule MetricTag(FieldReader tag)
    {
        var remove = tag.Choice("operation", false, ("UPSERT", false), ("REMOVE", true));
        var value = tag.String("value") ?? string.Empty;
        if (!remove && value.Length == 0)
            tag.Faults.Add(tag.Line, $"{tag.Path} has no value", "write value, or operation: REMOVE");
        return new MetricTagRule(string.Empty, remove, value);
    }

    private static IReadOnlyList<string> Providers(FieldReader reader) => [.. reader.Objects("providers", p => p.Required("name"))];

    private static bool IsForServers(FieldReader reader)
    {
        var mode = true;
        reader.Object("match", m => mode = Mode(m));
        return mode;
    }

    private static bool Mode(FieldReader match) => match.Choice("mode", true, ("CLIENT_AND_SERVER", true), ("SERVER", true), ("CLIENT", false));

    private static SpanTagRule Tag(FieldReader tag)
    {
        SpanTagRule? found = null;
        tag.Object("literal", l => found = new SpanTagRule(string.Empty, SpanTagSource.Literal, l.Required("value"), null));
        tag.Object("environment", e => found = new SpanTagRule(string.Empty, SpanTagSource.Environment, e.Required("name"), e.String("defaultValue")));
        tag.Object("header", h => found = new SpanTagRule(string.Empty, SpanTagSource.Header, h.Required("name"), h.String("defaultValue")));
        tag.Object("formatter", f => found = new SpanTagRule(string.Empty, SpanTagSource.Format, f.Required("value"), null));
        if (found is null)
            tag.Faults.Add(tag.Line, $"{tag.Path} has no value", "write literal, environment, header or formatter");
        return found ?? new SpanTagRule(string.Empty, SpanTagSource.Literal, string.Empty, null);
    }
}
