using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Status;
using Mesh.IstiodLite.Translation;
using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>
/// Telemetry resources, for one waypoint. From general to special: root namespace, the waypoint's, the service's, then those that name the
/// class, the waypoint or the service; each says something only in the fields that it has (reference: l7 5.8). Selectors are not for waypoints.
/// </summary>
internal sealed class Telemetries(WaypointInput input, WaypointInfo waypoint, RouteContext context)
{
    private readonly List<TelemetryResource> _plain = [.. input.Resources.Telemetries.Where(t => t.Targets.Count == 0 && t.Selector is not { Count: > 0 })];

    /// <summary>Null: nothing is said that differs from what a waypoint does by itself.</summary>
    public Mesh.Waypoint.V1.Telemetry? For(MeshService? service)
    {
        var layers = Layers(service).ToList();
        var result = new Mesh.Waypoint.V1.Telemetry { Tracing = Tracing(layers), AccessLogDisabled = layers.SelectMany(l => l.AccessLogging).LastOrDefault(a => a.Disabled is not null)?.Disabled ?? false };
        result.AccessLog = new AccessLogs(input.Settings, waypoint.Gateway, context).For([.. layers.SelectMany(l => l.AccessLogging.Select(a => (l, a)))]);
        result.Metrics.AddRange(MetricOverrides.For(layers.SelectMany(l => l.Metrics.Select(m => (l, m))), context));
        return result.Tracing is null && !result.AccessLogDisabled && result.AccessLog is null && result.Metrics.Count == 0 ? null : result;
    }

    private IEnumerable<TelemetryResource> Layers(MeshService? service)
    {
        var namespaces = new[] { input.Settings.RootNamespace, waypoint.Namespace, service?.Namespace }.OfType<string>().Distinct(StringComparer.Ordinal);
        // One document per place counts: the oldest, as in Istio.
        foreach (var ns in namespaces)
        {
            if (_plain.Find(t => t.Namespace == ns) is { } plain)
                yield return plain;
        }

        foreach (var telemetry in input.Resources.Telemetries.Where(t => t.Targets.Count > 0).OrderBy(t => t.Targets.Any(x => x.Kind is "Service" or "ServiceEntry")))
        {
            foreach (var target in telemetry.Targets)
            {
                var resolved = TargetStatus.Resolve(telemetry, target, input.Resources, input.Services, input.Waypoints, input.Settings);
                var applies = resolved.Reason is null && (resolved.Service is { } named ? named == service : target.Kind is "GatewayClass" || resolved.Waypoint == waypoint);
                if (applies)
                {
                    yield return telemetry;
                    break;
                }
            }
        }
    }

    private Tracing? Tracing(List<TelemetryResource> layers)
    {
        var rules = layers.SelectMany(l => l.Tracing.Select(t => (Source: l, Rules: t))).ToList();
        var providers = rules.LastOrDefault(r => r.Rules.Providers.Count > 0);
        var name = providers.Rules?.Providers[0] ?? input.Settings.DefaultTracingProviders.FirstOrDefault();
        if (name is null)
            return null;
        var result = new Tracing
        {
            Provider = name,
            SamplingPercent = rules.LastOrDefault(r => r.Rules.SamplingPercent is not null).Rules?.SamplingPercent ?? input.Settings.TraceSampling,
            DisableContextPropagation = rules.LastOrDefault(r => r.Rules.DisablePropagation is not null).Rules?.DisablePropagation ?? false,
            DisableIstioTags = !(rules.LastOrDefault(r => r.Rules.EnableIstioTags is not null).Rules?.EnableIstioTags ?? true),
        };
        var tags = rules.LastOrDefault(r => r.Rules.Tags.Count > 0).Rules?.Tags ?? [];
        result.Tags.AddRange(tags.Select(Tag));
        if (rules.LastOrDefault(r => r.Rules.DisableReporting is not null).Rules?.DisableReporting is not true)
            AddCollector(result, name, (Resource?)providers.Source ?? waypoint.Gateway);
        return result;
    }

    private void AddCollector(Tracing result, string name, Resource source)
    {
        var provider = input.Settings.ExtensionProviders.FirstOrDefault(p => p.Name == name);
        if (provider?.Collector is not { } collector)
        {
            context.Report(source, 0, $"its tracing provider \"{name}\" is not an opentelemetry provider of MeshConfig, so no spans are reported", "add it under extensionProviders, or correct the name");
            return;
        }

        result.Cluster = Providers.Reach(source, $"tracing provider {name}", collector.Service, context) ?? string.Empty;
        result.Authority = $"{collector.Service.Hostname}:{collector.Service.Port}";
        result.HttpPath = collector.HttpPath;
        result.MaxTagLength = collector.MaxTagLength;
        result.Timeout = ProtoParts.Of(collector.Timeout);
        foreach (var (header, value) in collector.Headers)
            result.Headers[header] = value;
    }

    private static Tracing.Types.SpanTag Tag(SpanTagRule rule)
    {
        var tag = new Tracing.Types.SpanTag { Name = rule.Name, Fallback = rule.Fallback ?? string.Empty };
        switch (rule.Source)
        {
            case SpanTagSource.Environment:
                tag.Environment = rule.Argument;
                break;
            case SpanTagSource.Header:
                tag.Header = rule.Argument;
                break;
            case SpanTagSource.Format:
                tag.Format = rule.Argument;
                break;
            default:
                tag.Literal = rule.Argument;
                break;
        }
        return tag;
    }
}
