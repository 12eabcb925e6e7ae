using System.Collections.Immutable;
using System.Globalization;
using Google.Protobuf;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;
using Mesh.Waypoint.V1;
using Wds = Istio.Workload;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>Services and workloads to sets of endpoints with one policy. One instance per waypoint: localities are seen from it.</summary>
internal sealed class ClusterTranslator
{
    private readonly WaypointInput _input;
    private readonly EndpointIndex _endpoints;
    private readonly DestinationRules _rules;
    private readonly WaypointInfo _waypoint;
    private readonly Wds.Locality? _locality;
    private readonly ImmutableDictionary<string, IMessage> _previous;
    private readonly ImmutableDictionary<string, IMessage>.Builder _clusters;

    /// <param name="input">What all waypoints have in common.</param>
    /// <param name="endpoints">Who serves what.</param>
    /// <param name="rules">DestinationRules.</param>
    /// <param name="waypoint">Whose clusters these are.</param>
    /// <param name="locality">Where it runs.</param>
    /// <param name="previous">Clusters as they were; one that comes out equal is the same object again.</param>
    /// <param name="stale">Those of them that must be made anew; null: all.</param>
    public ClusterTranslator(WaypointInput input, EndpointIndex endpoints, DestinationRules rules, WaypointInfo waypoint, Wds.Locality? locality,
        ImmutableDictionary<string, IMessage>? previous = null, IEnumerable<string>? stale = null)
    {
        (_input, _endpoints, _rules, _waypoint, _locality) = (input, endpoints, rules, waypoint, locality);
        _previous = previous ?? ImmutableDictionary<string, IMessage>.Empty;
        _clusters = (stale is null ? ImmutableDictionary<string, IMessage>.Empty : _previous.RemoveRange(stale)).ToBuilder();
    }

    public ImmutableDictionary<string, IMessage> Clusters => _clusters.ToImmutable();

    /// <summary>What the translation that is going on now looks at.</summary>
    public Dependencies Uses { get; set; } = new();

    public bool Has(string name) => _clusters.ContainsKey(name);

    public void Keep(IReadOnlySet<string> names) => _clusters.RemoveRange(_clusters.Keys.Where(n => !names.Contains(n)).ToList());

    /// <summary>The parts of a name that <see cref="NameOf"/> made: the service's key, or the workload's uid with port 0.</summary>
    public static (string Key, int Port, string Subset) PartsOf(string name)
    {
        var last = name.LastIndexOf('|');
        var first = name.LastIndexOf('|', last - 1);
        return (name[..first], int.Parse(name.AsSpan(first + 1, last - first - 1), CultureInfo.InvariantCulture), name[(last + 1)..]);
    }

    public static string NameOf(MeshService service, int port, string subset) => $"{service.Key}|{port}|{subset}";

    public static string NameOf(MeshWorkload workload) => $"{workload.Wds.Uid}|0|";

    public MergedRule RuleFor(MeshService service)
    {
        Uses.Hosts.Add(service.Hostname);
        return _rules.For(service, _waypoint.Namespace);
    }

    /// <summary>The name of the cluster for a port of a service; null if the subset is not defined. The cluster is made when it is first asked for.</summary>
    public string? Require(MeshService service, int port, string subset)
    {
        var name = NameOf(service, port, subset);
        Uses.Hosts.Add(service.Hostname);
        if (_clusters.ContainsKey(name))
        {
            Uses.Clusters.Add(name);
            return name;
        }
        var rule = RuleFor(service);
        Subset? definition = null;
        if (subset.Length > 0 && !rule.Subsets.TryGetValue(subset, out definition))
            return null;
        var policy = rule.Effective(subset, port);
        var cluster = New(name, service.Namespace, service.Hostname, policy);
        cluster.Port = (uint)port;
        cluster.Subset = subset;
        cluster.Protocol = ProtoParts.Of(service.Ports.FirstOrDefault(p => p.Number == port)?.Protocol ?? Wds.AppProtocol.Unknown);
        var all = service.Wds.LoadBalancing?.HealthPolicy is Wds.LoadBalancing.Types.HealthPolicy.AllowAll;
        foreach (var (workload, target) in _endpoints.Of(service, port))
        {
            if (definition is null || LabelSelector.Matches(definition.Labels, workload.Labels))
                cluster.Endpoints.Add(Endpoint(workload, target, all));
        }
        cluster.Endpoints.AddRange(Sorted(cluster));
        // Without endpoints every request is refused: it is never sent another way than the one that was written.
        if (policy.Refusal is not null)
            cluster.Endpoints.Clear();
        if (policy.Tls is null && BackendTls.For(_input.Resources, service, port) is { } backendTls)
            BackendTls.Apply(cluster, backendTls, _input.Resources);
        if (!LocalityWeights.Distribute(cluster, policy.LoadBalancer?.Locality, _locality))
            AddFailover(cluster, policy, service);
        return Add(name, cluster);
    }

    /// <summary>One workload, addressed directly: any port.</summary>
    public string Require(MeshWorkload workload)
    {
        var name = NameOf(workload);
        if (_clusters.ContainsKey(name))
        {
            Uses.Clusters.Add(name);
            return name;
        }
        var cluster = New(name, workload.Wds.Namespace, workload.Wds.Name, new TrafficPolicy());
        cluster.Endpoints.Add(Endpoint(workload, 0, ignoreHealth: true));
        return Add(name, cluster);
    }

    private string Add(string name, Cluster cluster)
    {
        Uses.Clusters.Add(name);
        _clusters[name] = _previous.TryGetValue(name, out var before) && before.Equals(cluster) ? before : cluster;
        return name;
    }

    private Cluster New(string name, string ns, string hostname, TrafficPolicy policy) => new()
    {
        Name = name,
        Namespace = ns,
        Hostname = hostname,
        LoadBalancer = PolicyParts.LoadBalancer(policy.LoadBalancer),
        ConnectionPool = PolicyParts.ConnectionPool(policy.ConnectionPool, policy.RetryBudget, _input.Settings.ConnectTimeout),
        OutlierDetection = PolicyParts.Outlier(policy.OutlierDetection),
        Tls = PolicyParts.Tls(policy.Tls),
    };

    private static List<Endpoint> Sorted(Cluster cluster)
    {
        var sorted = cluster.Endpoints.OrderBy(e => e.WorkloadUid, StringComparer.Ordinal).ToList();
        cluster.Endpoints.Clear();
        return sorted;
    }

    private Endpoint Endpoint(MeshWorkload source, int port, bool ignoreHealth)
    {
        var workload = source.Wds;
        var endpoint = new Endpoint
        {
            WorkloadUid = workload.Uid,
            Address = workload.Addresses.Count > 0 ? workload.Addresses[0] : ByteString.Empty,
            Port = (uint)port,
            Hbone = workload.TunnelProtocol is Wds.TunnelProtocol.Hbone,
            Weight = workload.Capacity ?? 0,
            Healthy = ignoreHealth || workload.Status is Wds.WorkloadStatus.Healthy,
            Region = workload.Locality?.Region ?? string.Empty,
            Zone = workload.Locality?.Zone ?? string.Empty,
            Subzone = workload.Locality?.Subzone ?? string.Empty,
            Network = workload.Network,
            Node = workload.Node,
            Hostname = workload.Hostname,
            WorkloadName = workload.WorkloadName,
            WorkloadNamespace = workload.Namespace,
            CanonicalName = workload.CanonicalName,
            CanonicalRevision = workload.CanonicalRevision,
            ClusterId = workload.ClusterId,
            ServiceAccount = workload.ServiceAccount,
        };
        if (endpoint.Hbone)
        {
            var account = workload.ServiceAccount.Length == 0 ? "default" : workload.ServiceAccount;
            endpoint.Identities.Add($"spiffe://{_input.Settings.TrustDomain}/ns/{workload.Namespace}/sa/{account}");
        }
        return endpoint;
    }

    /// <summary>Nearer endpoints first, but only where something can notice that they fail (reference: l7 2.3), or the Service asks for it.</summary>
    private void AddFailover(Cluster cluster, TrafficPolicy policy, MeshService service)
    {
        var byDistribution = service.Wds.LoadBalancing is { Mode: Wds.LoadBalancing.Types.Mode.Failover };
        var byRule = policy.OutlierDetection is not null && policy.LoadBalancer?.Locality?.Enabled is not false;
        if (_locality is null || !(byDistribution || byRule))
            return;
        var distances = cluster.Endpoints.Select(Distance).ToList();
        var ranks = distances.Distinct().Order().ToList();
        if (ranks.Count > 1)
            cluster.LoadBalancer.FailoverPriorities.AddRange(distances.Select(d => (uint)ranks.IndexOf(d)));
    }

    private int Distance(Endpoint endpoint)
    {
        if (endpoint.Region != _locality!.Region)
            return 3;
        if (endpoint.Zone != _locality.Zone)
            return 2;
        return endpoint.Subzone != _locality.Subzone ? 1 : 0;
    }
}
