using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation;

/// <summary>
/// Under which service account the endpoints of a Service run. Only asked where a waypoint was made for a service account: the Service uses it if
/// all its endpoints run under that account.
/// </summary>
internal sealed class EndpointAccounts(ResourceSet resources, WaypointCatalog waypoints)
{
    private readonly HashSet<string> _namespaces = [.. waypoints.All.Where(w => w.ForServiceAccount is not null).Select(w => w.Namespace)];
    private readonly Dictionary<Service, IReadOnlyList<string>> _mixed = [];

    /// <summary>Services with several accounts behind them, one of which has a waypoint.</summary>
    public IReadOnlyDictionary<Service, IReadOnlyList<string>> Mixed => _mixed;

    public string? OfService(Service service)
    {
        if (!_namespaces.Contains(service.Namespace) || service.Selector.Count == 0)
            return null;
        var pods = resources.Pods
            .Where(p => p.Namespace == service.Namespace && !p.IsTerminal && LabelSelector.Matches(service.Selector, p.Meta.Labels))
            .Select(p => p.ServiceAccountOrDefault);
        var entries = resources.WorkloadEntries
            .Where(e => e.Namespace == service.Namespace && (LabelSelector.Matches(service.Selector, e.Endpoint.Labels) || LabelSelector.Matches(service.Selector, e.Meta.Labels)))
            .Select(e => e.Endpoint.ServiceAccount.Length == 0 ? "default" : e.Endpoint.ServiceAccount);
        var accounts = pods.Concat(entries).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        if (accounts.Count <= 1)
            return accounts.FirstOrDefault();
        if (accounts.Any(a => waypoints.FindForAccount(service.Namespace, a) is not null))
            _mixed[service] = accounts;
        return null;
    }
}
