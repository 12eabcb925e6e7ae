using Mesh.Waypoint.Authorization;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.RateLimiting;
using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Configuration;

/// <summary>One resource that was refused: its name and why.</summary>
internal sealed record RefusedResource(string Name, string Reason);

/// <summary>
/// Everything the control plane said, and its compiled form. A change compiles beside what serves; then one reference is exchanged. A resource
/// that cannot be compiled is refused and its last good version goes on serving. Changes come from one thread at a time (the xDS stream);
/// readers take the current tables from any thread.
/// </summary>
internal sealed class WaypointConfiguration(ClusterRegistry clusters, TimeProvider? time = null)
{
    // The thread of changes only.
    private readonly Dictionary<string, Destination> _services = new(StringComparer.Ordinal);
    private readonly Dictionary<string, CompiledPolicy> _policies = new(StringComparer.Ordinal);
    private readonly HashSet<string> _clusters = new(StringComparer.Ordinal);
    private long _version;

    private readonly TimeProvider _time = time ?? TimeProvider.System;

    // Any thread.
    private volatile RouteTable _routes = RouteTable.Empty;
    private volatile PolicyTable _policyTable = PolicyTable.Empty;

    public RouteTable Routes => _routes;

    public PolicyTable Policies => _policyTable;

    public ClusterRegistry Clusters => clusters;

    public IReadOnlyList<RefusedResource> ApplyServices(IEnumerable<(string Name, V1.Service Service)> changed, IEnumerable<string> removed)
    {
        var refused = new List<RefusedResource>();
        foreach (var (name, service) in changed)
            Try(name, refused, () => _services[name] = new Destination(service, clusters));
        foreach (var name in removed)
            _services.Remove(name);
        _routes = new RouteTable(_services.Values, ++_version);

        // Which policies apply is said by the service.
        _policyTable = new PolicyTable(new Dictionary<string, CompiledPolicy>(_policies, StringComparer.Ordinal));
        return refused;
    }

    public IReadOnlyList<RefusedResource> ApplyClusters(IEnumerable<(string Name, V1.Cluster Cluster)> changed, IEnumerable<string> removed)
    {
        var refused = new List<RefusedResource>();
        foreach (var (name, cluster) in changed)
        {
            Try(name, refused, () =>
            {
                clusters.Apply(clusters.Compile(cluster));
                _clusters.Add(name);
            });
        }

        foreach (var name in removed)
        {
            if (_clusters.Remove(name))
                clusters.Remove(name);
        }

        return refused;
    }

    public IReadOnlyList<RefusedResource> ApplyPolicies(IEnumerable<(string Name, V1.RequestPolicy Policy)> changed, IEnumerable<string> removed)
    {
        var refused = new List<RefusedResource>();
        foreach (var (name, policy) in changed)
            Try(name, refused, () => _policies[name] = Compile(name, policy));
        foreach (var name in removed)
            _policies.Remove(name);
        _policyTable = new PolicyTable(new Dictionary<string, CompiledPolicy>(_policies, StringComparer.Ordinal));
        return refused;
    }

    private CompiledPolicy Compile(string name, V1.RequestPolicy policy) => policy.KindCase switch
    {
        V1.RequestPolicy.KindOneofCase.Authorization => new CompiledPolicy(name, new AuthorizationRuleSet(policy), null),
        V1.RequestPolicy.KindOneofCase.Jwt => new CompiledPolicy(name, null, new JwtPolicy(policy)),
        V1.RequestPolicy.KindOneofCase.RateLimits => new CompiledPolicy(name, null, null) { RateLimits = new RateLimitPolicy(policy, _time) },
        _ => throw new ConfigurationException($"policy {name} has no rules of a kind that is known here"),
    };

    private static void Try(string name, List<RefusedResource> refused, Action apply)
    {
        try
        {
            apply();
        }
        catch (ConfigurationException e)
        {
            refused.Add(new RefusedResource(name, e.Message));
        }
    }
}
