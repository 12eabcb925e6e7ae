using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Waypoints;

namespace Mesh.IstiodLite.Translation.Incremental;

/// <summary>A change as waypoints see it.</summary>
internal sealed class WaypointDelta
{
    private readonly MeshSettings _settings;
    private readonly List<VirtualService> _virtualServices = [];
    private readonly List<GatewayRoute> _routes = [];
    private readonly List<string> _hostPatterns = [];

    /// <param name="resources">All documents.</param>
    /// <param name="settings">Of the mesh.</param>
    /// <param name="changes">Null: everything.</param>
    /// <param name="services">Services that changed.</param>
    /// <param name="workloads">Workloads that changed.</param>
    public WaypointDelta(
        ResourceSet resources, MeshSettings settings, ChangeSet? changes, IReadOnlyList<(MeshService? Before, MeshService? After)> services,
        IReadOnlyList<(MeshWorkload? Before, MeshWorkload? After)> workloads)
    {
        _settings = settings;
        Everything = changes is null;
        Workloads = workloads;
        foreach (var service in services.SelectMany(s => new[] { s.Before, s.After }).OfType<MeshService>())
        {
            Hosts.Add(service.Hostname);
            Hosts.Add(Dependencies.SourceName(service.Source.Kind, service.Namespace, service.Source.Name));
        }
        foreach (var workload in workloads.SelectMany(w => new[] { w.Before, w.After }).OfType<MeshWorkload>())
        {
            EndpointsOf.UnionWith(workload.Wds.Services.Keys);
            Uids.Add(workload.Wds.Uid);
            if (EndpointIndex.GatewayOf(workload) is { } gateway)
                Gateways.Add(gateway);
        }
        ConcernsServices = Everything || services.Count > 0;
        // Whether a target is there, and which waypoint it has.
        ConcernsPolicies = Everything || (services.Count > 0 && HasTargets(resources));
        if (changes is null)
            return;
        _virtualServices.AddRange(changes.Versions<VirtualService>());
        // Those that others delegate to.
        Hosts.UnionWith(_virtualServices.Select(v => Dependencies.SourceName(v.Kind, v.Namespace, v.Name)));
        _routes.AddRange(changes.Versions<GatewayRoute>());
        RulesChanged = changes.Any<DestinationRule>();
        foreach (var host in changes.Versions<DestinationRule>().Select(r => HostNames.Resolve(r.Host, r.Namespace, settings.ClusterDomain)))
        {
            if (host.StartsWith('*'))
                _hostPatterns.Add(host);
            else
                Hosts.Add(host);
        }
        ConcernsServices |= RulesChanged || _virtualServices.Count > 0 || _routes.Count > 0;
        ConcernsPolicies |= changes.Versions<TargetedPolicy>().Any(p => p.Targets.Count > 0);
    }

    public bool Everything { get; }

    /// <summary>True if routes, rules or services changed, not only who serves them.</summary>
    public bool ConcernsServices { get; }

    public bool ConcernsPolicies { get; }

    public bool RulesChanged { get; }

    public IReadOnlyList<(MeshWorkload? Before, MeshWorkload? After)> Workloads { get; }

    /// <summary>Keys of services whose endpoints changed.</summary>
    public HashSet<string> EndpointsOf { get; } = new(StringComparer.Ordinal);

    /// <summary>Workloads that changed.</summary>
    public HashSet<string> Uids { get; } = new(StringComparer.Ordinal);

    /// <summary>Waypoints whose own instances changed.</summary>
    public HashSet<(string Namespace, string Name)> Gateways { get; } = [];

    /// <summary>Host names and sources of services that are not what they were, and those that rules speak of.</summary>
    public HashSet<string> Hosts { get; } = new(StringComparer.Ordinal);

    public bool Touches(Dependencies uses) => uses.Hosts.Overlaps(Hosts) || (_hostPatterns.Count > 0 && uses.Hosts.Any(TouchesByPattern));

    public bool TouchesHost(string hostname) => Hosts.Contains(hostname) || TouchesByPattern(hostname);

    /// <summary>True if a route that changed is, or was, one of the service's.</summary>
    public bool TouchesRoutesOf(MeshService service, WaypointInfo waypoint) =>
        _virtualServices.Exists(v => VirtualRoutes.IsFor(v, service, waypoint, _settings)) || _routes.Exists(r => GatewayRoutes.MayAttach(r, service, waypoint));

    private static bool HasTargets(ResourceSet resources) =>
        resources.AuthorizationPolicies.Cast<TargetedPolicy>().Concat(resources.RequestAuthentications).Concat(resources.RateLimitPolicies).Any(p => p.Targets.Count > 0);

    private bool TouchesByPattern(string hostname) => _hostPatterns.Exists(p => HostNames.Matches(p, hostname));
}
