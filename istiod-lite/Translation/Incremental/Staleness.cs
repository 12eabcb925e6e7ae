using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation.Incremental;

/// <summary>Which documents must be translated again after a change: the dependencies of the translation, written down.</summary>
internal static class Staleness
{
    private static readonly Dictionary<string, string> _everything = [];

    /// <summary>Services and ServiceEntries: the document itself, its given address, and the accounts of its endpoints where a waypoint asks for them.</summary>
    public static HashSet<ResourceKey> Services(ResourceSet resources, ChangeSet changes, AddressBook oldBook, AddressBook newBook, EndpointAccounts accounts)
    {
        var stale = changes.All.Select(c => c.Key).Where(k => k.Kind is "Service" or "ServiceEntry").ToHashSet();
        if (!ReferenceEquals(oldBook, newBook))
        {
            foreach (var service in resources.Services.Where(s => Differs(oldBook, newBook, AddressBook.ServiceKey(s))))
                stale.Add(service.Key);
            foreach (var entry in resources.ServiceEntries.Where(e => e.Hosts.Any(h => Differs(oldBook, newBook, AddressBook.EntryKey(e, h, v6: false)) || Differs(oldBook, newBook, AddressBook.EntryKey(e, h, v6: true)))))
                stale.Add(entry.Key);
        }
        foreach (var (ns, labels) in Labelled(changes).Where(l => accounts.Matters(l.Namespace)))
        {
            foreach (var service in resources.Services.Where(s => s.Namespace == ns && s.Selector.Count > 0 && LabelSelector.Matches(s.Selector, labels)))
                stale.Add(service.Key);
        }
        return stale;
    }

    /// <summary>
    /// Documents of workloads: the document itself; what a changed service selected or selects, or slices name; what runs on a changed node; what a
    /// changed policy selected or selects.
    /// </summary>
    /// <param name="resources">All documents.</param>
    /// <param name="settings">Of the mesh.</param>
    /// <param name="changes">Null: everything.</param>
    /// <param name="services">Services that changed.</param>
    /// <param name="catalog">Services as they are now.</param>
    public static IEnumerable<Resource> Workloads(
        ResourceSet resources, MeshSettings settings, ChangeSet? changes, IReadOnlyList<(MeshService? Before, MeshService? After)> services, ServiceCatalog catalog)
    {
        if (changes is null)
            return [.. resources.Pods, .. resources.WorkloadEntries, .. resources.ServiceEntries, .. resources.Slices];
        var stale = new HashSet<Resource>();
        foreach (var change in changes.All)
        {
            if (change.After is Pod or WorkloadEntry or ServiceEntry)
                stale.Add(change.After);
        }
        AddSelected(stale, resources, settings, changes, services);
        AddSliced(stale, resources, settings, changes, services, catalog);
        foreach (var entry in services.SelectMany(s => new[] { s.Before?.Entry, s.After?.Entry }).OfType<ServiceEntry>())
        {
            if (resources.Find<ServiceEntry>(entry.Kind, entry.Namespace, entry.Name) is { } current)
                stale.Add(current);
        }
        var nodes = changes.Versions<Node>().Select(n => n.Name).ToHashSet(StringComparer.Ordinal);
        if (nodes.Count > 0)
            stale.UnionWith(resources.Pods.Where(p => nodes.Contains(p.NodeName)));
        return stale;
    }

    /// <summary>What changed services and policies select, as they were and as they are.</summary>
    private static void AddSelected(
        HashSet<Resource> stale, ResourceSet resources, MeshSettings settings, ChangeSet changes, IReadOnlyList<(MeshService? Before, MeshService? After)> services)
    {
        var selectors = new List<(string? Namespace, IReadOnlyDictionary<string, string> Selector)>();
        foreach (var service in services.SelectMany(s => new[] { s.Before, s.After }))
        {
            if (service?.Selector is { Count: > 0 } selector)
                selectors.Add((service.Namespace, selector));
        }
        foreach (var policy in changes.Versions<AuthorizationPolicy>())
        {
            if (policy.Selector is { Count: > 0 } selector)
                selectors.Add((policy.Namespace == settings.RootNamespace ? null : policy.Namespace, selector));
        }
        // The oldest of a namespace counts, and where there is none the mesh's: another one may count now for everything in its reach.
        foreach (var policy in changes.Versions<PeerAuthentication>())
            selectors.Add((policy.Namespace == settings.RootNamespace ? null : policy.Namespace, _everything));
        if (selectors.Count == 0)
            return;
        var everywhere = selectors.Where(s => s.Namespace is null).Select(s => s.Selector).ToList();
        var byNamespace = selectors.Where(s => s.Namespace is not null).ToLookup(s => s.Namespace!, s => s.Selector, StringComparer.Ordinal);
        bool Selected(string ns, IReadOnlyDictionary<string, string> labels) =>
            everywhere.Exists(s => LabelSelector.Matches(s, labels)) || (byNamespace.Contains(ns) && byNamespace[ns].Any(s => LabelSelector.Matches(s, labels)));

        stale.UnionWith(resources.Pods.Where(p => Selected(p.Namespace, p.Meta.Labels)));
        stale.UnionWith(resources.WorkloadEntries.Where(e => Selected(e.Namespace, WorkloadTranslator.LabelsOf(e))));
        stale.UnionWith(resources.ServiceEntries.Where(e => Selected(e.Namespace, e.Meta.Labels)));
    }

    /// <summary>Slices of Services without selector, and the pods that slices name.</summary>
    private static void AddSliced(
        HashSet<Resource> stale, ResourceSet resources, MeshSettings settings, ChangeSet changes, IReadOnlyList<(MeshService? Before, MeshService? After)> services, ServiceCatalog catalog)
    {
        var touched = changes.Versions<EndpointSlice>().ToHashSet();
        if (services.Any(s => (s.Before ?? s.After)!.IsKubernetes))
        {
            var hosts = services.SelectMany(s => new[] { s.Before, s.After }).OfType<MeshService>().Where(s => s.IsKubernetes).Select(s => (s.Namespace, s.Source.Name)).ToHashSet();
            touched.UnionWith(resources.Slices.Where(s => s.Meta.Label(WellKnown.ServiceName) is { } name && hosts.Contains((s.Namespace, name))));
        }
        foreach (var slice in touched)
        {
            if (ReferenceEquals(resources.Find<EndpointSlice>(slice.Kind, slice.Namespace, slice.Name), slice))
                stale.Add(slice);
            // The slice of a Service with a selector changes with each of its pods and says nothing that they do not say.
            if (SlicedPods.ServiceOf(slice, catalog, settings) is null && !services.Any(s => s.Before is { IsKubernetes: true } || s.After is { IsKubernetes: true }))
                continue;
            foreach (var (pod, _) in SlicedPods.PodsOf(slice))
            {
                if (resources.Find<Pod>("Pod", pod.Namespace, pod.Name) is { } found)
                    stale.Add(found);
            }
        }
    }

    private static bool Differs(AddressBook a, AddressBook b, string key) => a.Entries.GetValueOrDefault(key) != b.Entries.GetValueOrDefault(key);

    private static IEnumerable<(string Namespace, IReadOnlyDictionary<string, string> Labels)> Labelled(ChangeSet changes) =>
        changes.Versions<Pod>().Select(p => (p.Namespace, p.Meta.Labels))
            .Concat(changes.Versions<WorkloadEntry>().SelectMany(e => new[] { (e.Namespace, e.Meta.Labels), (e.Namespace, e.Endpoint.Labels) }));
}
