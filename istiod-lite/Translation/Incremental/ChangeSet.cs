using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation.Incremental;

/// <summary>Changes of documents by kind, each as it was and as it is; either may be null.</summary>
internal sealed class ChangeSet(IReadOnlyList<ResourceChange> changes)
{
    public IReadOnlyList<ResourceChange> All => changes;

    /// <summary>
    /// True if something changed that everything is seen through: what MeshConfig says, namespaces (their labels bind, enrol and hide), Gateways and
    /// their classes. These are rare; then everything is translated again, and what comes out equal is not sent.
    /// </summary>
    public bool ConcernsEverything(MeshSettings settings, ResourceSet documents) => changes.Any(c => (c.After ?? c.Before) switch
    {
        ConfigMap map => (map.Namespace == settings.SystemNamespace && map.Name.StartsWith("istio", StringComparison.Ordinal))
            || documents.BackendTlsPolicies.Any(p => p.Namespace == map.Namespace && p.Authorities.Contains(map.Name, StringComparer.Ordinal)),
        // A written Service takes the place of the one that would be made for the Gateway of its name.
        Service service => settings.Standalone && documents.Find<Gateway>("Gateway", service.Namespace, service.Name) is not null,
        Pod or EndpointSlice or Node or WorkloadEntry or WorkloadGroup or ServiceEntry or ServiceAccount => false,
        // Part of every service behind a waypoint.
        TelemetryResource => true,
        // Nothing that is sent depends on it.
        ProxyConfigResource => false,
        TargetedPolicy or PeerAuthentication or VirtualService or DestinationRule or GatewayRoute => false,
        // Namespaces, Gateways and their classes; and kinds whose dependents nobody has written down.
        _ => true,
    });

    public bool Any<T>()
        where T : Resource => changes.Any(c => (c.After ?? c.Before) is T);

    /// <summary>Both versions of each.</summary>
    public IEnumerable<T> Versions<T>()
        where T : Resource => changes.SelectMany(c => new[] { c.Before, c.After }).OfType<T>();
}
