using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>The DestinationRules of one host in one namespace, merged as Istio does (reference: l7 2.1).</summary>
internal sealed record MergedRule(IReadOnlyList<DestinationRule> Sources, TrafficPolicy? Policy, IReadOnlyDictionary<string, Subset> Subsets)
{
    public static readonly MergedRule None = new([], null, new Dictionary<string, Subset>(StringComparer.Ordinal));

    /// <summary>The document that the traffic policy comes from.</summary>
    public DestinationRule? PolicySource { get; init; }

    /// <summary>
    /// What holds for a port of a subset. A subset overrides block by block; an entry for the port replaces everything at its level, also by
    /// nothing: port-level settings do not inherit.
    /// </summary>
    public TrafficPolicy Effective(string subset, int port)
    {
        var result = Override(new TrafficPolicy(), Policy, port);
        return subset.Length > 0 && Subsets.TryGetValue(subset, out var own) ? Override(result, own.Policy, port) : result;
    }

    private static TrafficPolicy Override(TrafficPolicy under, TrafficPolicy? over, int port)
    {
        if (over is null)
            return under;
        foreach (var (number, policy) in over.PortLevel)
        {
            if (number == port)
                return policy;
        }
        return new TrafficPolicy
        {
            LoadBalancer = over.LoadBalancer ?? under.LoadBalancer,
            ConnectionPool = over.ConnectionPool ?? under.ConnectionPool,
            OutlierDetection = over.OutlierDetection ?? under.OutlierDetection,
            Tls = over.Tls ?? under.Tls,
            RetryBudget = over.RetryBudget ?? under.RetryBudget,
            Unsupported = over.Unsupported ?? under.Unsupported,
        };
    }
}

/// <summary>Finds the rule for a service from a waypoint's point of view.</summary>
internal sealed class DestinationRules
{
    private readonly MeshSettings _settings;
    private readonly ILookup<string, (string Host, DestinationRule Rule)> _byNamespace;
    private readonly Dictionary<(string, string), MergedRule> _merged = [];

    public DestinationRules(ResourceSet resources, MeshSettings settings)
    {
        _settings = settings;
        _byNamespace = resources.DestinationRules
            // A rule for certain clients does not speak for the waypoint.
            .Where(r => r.WorkloadSelector is null)
            .ToLookup(r => r.Namespace, r => (HostNames.Resolve(r.Host, r.Namespace, settings.ClusterDomain), r), StringComparer.Ordinal);
    }

    public MergedRule For(MeshService service, string waypointNamespace)
    {
        if (waypointNamespace != _settings.RootNamespace && Best(waypointNamespace, service.Hostname, waypointNamespace) is { } own)
            return own;
        return Best(service.Namespace, service.Hostname, waypointNamespace) ?? Best(_settings.RootNamespace, service.Hostname, waypointNamespace) ?? MergedRule.None;
    }

    private MergedRule? Best(string ns, string hostname, string from)
    {
        var best = _byNamespace[ns]
            .Where(r => HostNames.Matches(r.Host, hostname) && Exported(r.Rule, from))
            .Select(r => r.Host)
            .MaxBy(HostNames.Specificity);
        if (best is null)
            return null;
        if (!_merged.TryGetValue((ns, best), out var merged))
            _merged[(ns, best)] = merged = Merge([.. _byNamespace[ns].Where(r => r.Host == best).Select(r => r.Rule).Order(Comparer<DestinationRule>.Create(Resource.CompareByAge))]);
        return merged;
    }

    private static bool Exported(DestinationRule rule, string to) =>
        rule.ExportTo.Count == 0 || rule.Namespace == to || rule.ExportTo.Contains("*", StringComparer.Ordinal) || rule.ExportTo.Contains(to, StringComparer.Ordinal);

    private static MergedRule Merge(IReadOnlyList<DestinationRule> rules)
    {
        var subsets = new Dictionary<string, Subset>(StringComparer.Ordinal);
        foreach (var subset in rules.SelectMany(r => r.Subsets))
            subsets.TryAdd(subset.Name, subset);
        var source = rules.FirstOrDefault(r => r.TrafficPolicy is not null);
        return new MergedRule(rules, source?.TrafficPolicy, subsets) { PolicySource = source };
    }
}
