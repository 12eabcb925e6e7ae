using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation;

/// <summary>The ordered list of policy names that one workload references (reference: istiod 4.5).</summary>
internal sealed class WorkloadPolicies
{
    private readonly string _root;
    private readonly bool _autoAllowWaypoint;
    private readonly PeerAuthenticationTranslator _peers;
    private readonly ILookup<string, AuthorizationPolicy> _selecting;

    public WorkloadPolicies(MeshSettings settings, PeerAuthenticationTranslator peers, IEnumerable<AuthorizationPolicy> published)
    {
        _root = settings.RootNamespace;
        _autoAllowWaypoint = settings.AutoAllowWaypoint;
        _peers = peers;
        _selecting = published.Where(p => p.Selector is { Count: > 0 }).ToLookup(p => p.Namespace, StringComparer.Ordinal);
    }

    public IEnumerable<string> For(string ns, IReadOnlyDictionary<string, string> labels, WaypointInfo? waypoint)
    {
        var names = new List<string>();
        Collect(names, _root, labels);
        if (ns != _root)
            Collect(names, ns, labels);
        names.Sort(StringComparer.Ordinal);
        names.AddRange(_peers.For(ns, labels));
        if (_autoAllowWaypoint && waypoint is { ServiceAccounts.Count: > 0 })
            names.Add($"{ns}/{WaypointAllowName(waypoint)}");
        return names;
    }

    public static string WaypointAllowName(WaypointInfo waypoint) => $"istio_allow_waypoint_{waypoint.Namespace}_{waypoint.Name}";

    private void Collect(List<string> names, string ns, IReadOnlyDictionary<string, string> labels)
    {
        foreach (var policy in _selecting[ns])
        {
            if (LabelSelector.Matches(policy.Selector!, labels))
                names.Add($"{policy.Namespace}/{policy.Name}");
        }
    }
}
