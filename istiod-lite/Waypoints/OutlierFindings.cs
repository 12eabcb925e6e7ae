using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;
using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>
/// Says what an ejection rule really does. The share that may be ejected is compared with the number of endpoints: 10 percent of nine are none
/// (reference: l7 2.5).
/// </summary>
internal static class OutlierFindings
{
    public static void Add(List<Problem> problems, IEnumerable<WaypointConfiguration> waypoints, ServiceCatalog services, DestinationRules rules, EndpointIndex endpoints)
    {
        var told = new HashSet<DestinationRule>();
        foreach (var configuration in waypoints.OrderBy(w => w.Waypoint, StringComparer.Ordinal))
        {
            var ns = configuration.Waypoint[..configuration.Waypoint.IndexOf('/', StringComparison.Ordinal)];
            foreach (var cluster in configuration.Clusters.Values.OfType<Cluster>().Where(c => c.OutlierDetection is not null).OrderBy(c => c.Name, StringComparer.Ordinal))
            {
                if (services.Find(cluster.Namespace, cluster.Hostname) is not { } service)
                    continue;
                var rule = rules.For(service, ns);
                var written = rule.Effective(cluster.Subset, (int)cluster.Port).OutlierDetection;
                var source = rule.Sources.FirstOrDefault(r => Mentions(r, written));
                if (written is null || source is null || !told.Add(source))
                    continue;
                if (Explain(written, endpoints.CountOf(service)) is var (reason, fix))
                    problems.Add(Problem.Warning(source, reason, fix, written.Line));
            }
        }
    }

    private static bool Mentions(DestinationRule rule, OutlierRules? rules) =>
        rules is not null && (Holds(rule.TrafficPolicy, rules) || rule.Subsets.Any(s => Holds(s.Policy, rules)));

    private static bool Holds(Resources.TrafficPolicy? policy, OutlierRules rules) =>
        policy is not null && (ReferenceEquals(policy.OutlierDetection, rules) || policy.PortLevel.Any(p => ReferenceEquals(p.Policy.OutlierDetection, rules)));

    private static (string Reason, string Fix)? Explain(OutlierRules rules, int total)
    {
        var percent = rules.MaxEjectionPercent ?? 10;
        // Envoy's arithmetic: one more may go if 100 x (ejected + 1) / endpoints stays within the percentage.
        if (total == 0 || 100 / total <= percent)
            return null;
        return rules.MaxEjectionPercent is null
            ? ($"outlierDetection has no maxEjectionPercent: the default of 10 % of {total} endpoints rounds down to none, so Istio would eject nothing. Here one endpoint may be ejected as long as another stays",
                "set maxEjectionPercent to say how many may be ejected, e.g. 50")
            : ($"outlierDetection can eject nothing: maxEjectionPercent {percent} % of {total} endpoints rounds down to none", $"set maxEjectionPercent to at least {(100 + total - 1) / total}");
    }
}
