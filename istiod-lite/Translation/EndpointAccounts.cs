using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation;

/// <summary>
/// Under which service account the endpoints of a Service run. Only asked where a waypoint was made for a service account: the Service uses it if
/// all its endpoints run under that account.
/// </summary>
internal sealed class EndpointAccounts
{
    private readonly WaypointCatalog _waypoints;
    private readonly HashSet<string> _namespaces;
    private readonly Lazy<ILookup<string, Pod>> _pods;
    private readonly Lazy<ILookup<string, WorkloadEntry>> _entries;

    public EndpointAccounts(ResourceSet resources, WaypointCatalog waypoints)
    {
        _waypoints = waypoints;
        _namespaces = [.. waypoints.All.Where(w => w.ForServiceAccount is not null).Select(w => w.Namespace)];
        _pods = new(() => resources.Pods.Where(p => Matters(p.Namespace) && !p.IsTerminal).ToLookup(p => p.Namespace, StringComparer.Ordinal));
        _entries = new(() => resources.WorkloadEntries.Where(e => Matters(e.Namespace)).ToLookup(e => e.Namespace, StringComparer.Ordinal));
    }

    /// <summary>True for namespaces that have a waypoint for a service account.</summary>
    public bool Matters(string ns) => _namespaces.Contains(ns);

    public string? OfService(Service service) => All(service) is [var account] ? account : null;

    /// <summary>Several accounts behind a Service, one of which has a waypoint; null: nothing of that kind.</summary>
    public IReadOnlyList<string>? MixedOf(Service service) =>
        All(service) is { Count: > 1 } accounts && accounts.Any(a => _waypoints.FindForAccount(service.Namespace, a) is not null) ? accounts : null;

    private List<string> All(Service service)
    {
        if (!Matters(service.Namespace) || service.Selector.Count == 0)
            return [];
        var pods = _pods.Value[service.Namespace].Where(p => LabelSelector.Matches(service.Selector, p.Meta.Labels)).Select(p => p.ServiceAccountOrDefault);
        var entries = _entries.Value[service.Namespace].Where(e => Selects(service, e)).Select(e => e.Endpoint.ServiceAccount.Length == 0 ? "default" : e.Endpoint.ServiceAccount);
        return [.. pods.Concat(entries).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    }

    private static bool Selects(Service service, WorkloadEntry entry) =>
        LabelSelector.Matches(service.Selector, entry.Endpoint.Labels) || LabelSelector.Matches(service.Selector, entry.Meta.Labels);
}
