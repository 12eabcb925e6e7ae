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
        spec.Ignore("metrics");
        return new TelemetryResource
        {
            Meta = meta,
            Position = position,
            Selector = EntryDecoder.Labels(spec, "selector", "matchLabels"),
            Targets = SecurityDecoder.Targets(spec),
            // A waypoint is the server's side of a request: what is for clients alone does not concern it.
            Tracing = [.. spec.Objects("tracing", Tracing).Where(t => t.IsForServers).Select(t => t.Rules)],
            AccessLogging = [.. spec.Objects("accessLogging", AccessLogging).Where(a => a.IsForServers).Select(a => a.Rules)],
            HasMetrics = spec.Has("metrics"),
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
        Providers(a);
        var hasFilter = a.Has("filter");
        a.Ignore("filter");
        return new ForMode<AccessLoggingRules>(IsForServers(a), new AccessLoggingRules(a.Bool("disabled"), hasFilter));
    }

    private static IReadOnlyList<string> Providers(FieldReader reader) => [.. reader.Objects("providers", p => p.Required("name"))];

    private static bool IsForServers(FieldReader reader)
    {
        var mode = true;
        reader.Object("match", m => mode = m.Choice("mode", true, ("CLIENT_AND_SERVER", true), ("SERVER", true), ("CLIENT", false)));
        return mode;
    }

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
