using Mesh.IstiodLite.Resources;
using Mesh.Model.Expressions;
using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>Telemetry.metrics: what is switched off, and which tags are added, replaced or removed. Later entries say more about what earlier ones said.</summary>
internal static class MetricOverrides
{
    private const string Everything = "ALL_METRICS";
    private const string Prometheus = "prometheus";

    private static readonly (string Metric, string Family)[] Families =
    [
        ("REQUEST_COUNT", "istio_requests"),
        ("REQUEST_DURATION", "istio_request_duration_milliseconds"),
        ("REQUEST_SIZE", "istio_request_bytes"),
        ("RESPONSE_SIZE", "istio_response_bytes"),
        ("TCP_OPENED_CONNECTIONS", "istio_tcp_connections_opened"),
        ("TCP_CLOSED_CONNECTIONS", "istio_tcp_connections_closed"),
        ("TCP_SENT_BYTES", "istio_tcp_sent_bytes"),
        ("TCP_RECEIVED_BYTES", "istio_tcp_received_bytes"),
    ];

    public static IEnumerable<MetricOverride> For(IEnumerable<(TelemetryResource Source, MetricsRules Rules)> rules, RouteContext context)
    {
        var result = new SortedDictionary<string, MetricOverride>(StringComparer.Ordinal);
        foreach (var (source, entry) in rules)
        {
            if (entry.Providers.Count > 0 && !entry.Providers.Contains(Prometheus))
            {
                context.Report(source, 0, $"its metrics are for {string.Join(", ", entry.Providers)}; there is only {Prometheus} here", $"name {Prometheus}, or leave providers out");
                continue;
            }

            foreach (var one in entry.Overrides)
                Apply(result, source, one, context);
        }

        return result.Values.Where(o => o.Disabled || o.Tags.Count > 0);
    }

    private static void Apply(SortedDictionary<string, MetricOverride> result, TelemetryResource source, MetricOverrideRules rules, RouteContext context)
    {
        var families = rules.Metric == Everything ? Families : [.. Families.Where(f => f.Metric == rules.Metric || f.Family == rules.Metric || f.Family + "_total" == rules.Metric)];
        if (families.Length == 0)
            context.Report(source, rules.Line, $"overrides the metric {rules.Metric}, which a waypoint does not have here", $"use {Everything}, {string.Join(", ", Families.Select(f => f.Metric))}");
        if (rules.Tags.FirstOrDefault(t => t.Name.Length == 0 || char.IsAsciiDigit(t.Name[0]) || !t.Name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')) is { } odd)
        {
            context.Report(source, rules.Line, $"its tag \"{odd.Name}\" cannot be the name of a label", "use letters, digits and '_'");
            return;
        }

        foreach (var tag in rules.Tags.Where(t => !t.Remove))
        {
            try
            {
                Expression.Parse(tag.Value);
            }
            catch (ExpressionException e)
            {
                context.Report(source, rules.Line, $"its value of the tag {tag.Name} is not used: {e.Message}", "write it with the part of CEL that docs/waypoint.md lists");
                return;
            }
        }

        foreach (var (_, family) in families)
        {
            if (!result.TryGetValue(family, out var made))
                result[family] = made = new MetricOverride { Family = family };
            made.Disabled = rules.Disabled ?? made.Disabled;
            foreach (var tag in rules.Tags)
            {
                if (made.Tags.FirstOrDefault(t => t.Name == tag.Name) is { } before)
                    made.Tags.Remove(before);
                made.Tags.Add(new MetricOverride.Types.Tag { Name = tag.Name, Value = tag.Value, Remove = tag.Remove });
            }
        }
    }
}
