using Google.Protobuf;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;
using Mesh.Waypoint.V1;
using Wds = Istio.Workload;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>Services and workloads to sets of endpoints with one policy. One instance per waypoint: localities are seen from it.</summary>
internal sealed class ClusterTranslator(WaypointInput input, EndpointIndex endpoints, DestinationRules rules, WaypointInfo waypoint, Wds.Locality? locality)
{
    private readonly SortedDictionary<string, IMessage> _clusters = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, IMessage> Clusters => _clusters;

    public static string NameOf(MeshService service, int port, string subset) => $"{service.Key}|{port}|{subset}";

    public MergedRule RuleFor(MeshService service) => rules.For(service, waypoint.Namespace);

    /// <summary>The name of the cluster for a port of a service; null if the subset is not defined. The cluster is made when it is first asked for.</summary>
    public string? Require(MeshService service, int port, string subset)
    {
        var name = NameOf(service, port, subset);
        if (_clusters.ContainsKey(name))
            return name;
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
        foreach (var (workload, target) in endpoints.Of(service, port))
        {
            if (definition is null || LabelSelector.Matches(definition.Labels, workload.Labels))
                cluster.Endpoints.Add(Endpoint(workload, target, all));
        }
        cluster.Endpoints.AddRange(Sorted(cluster));
        AddFailover(cluster, policy, service);
        _clusters[name] = cluster;
        return name;
    }

    /// <summary>One workload, addressed directly: any port.</summary>
    public string Require(MeshWorkload workload)
    {
        var name = $"{workload.Wds.Uid}|0|";
        if (_clusters.ContainsKey(name))
            return name;
        var cluster = New(name, workload.Wds.Namespace, workload.Wds.Name, new TrafficPolicy());
        cluster.Endpoints.Add(Endpoint(workload, 0, ignoreHealth: true));
        _clusters[name] = cluster;
        return name;
    }

    private Cluster New(string name, string ns, string hostname, TrafficPolicy policy) => new()
    {
        Name = name,
        Namespace = ns,
        Hostname = hostname,
        LoadBalancer = PolicyParts.LoadBalancer(policy.LoadBalancer),
        ConnectionPool = PolicyParts.ConnectionPool(policy.ConnectionPool, input.Settings.ConnectTimeout),
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
            endpoint.Identities.Add($"spiffe://{input.Settings.TrustDomain}/ns/{workload.Namespace}/sa/{account}");
        }
        return endpoint;
    }

    /// <summary>Nearer endpoints first, but only where something can notice that they fail (reference: l7 2.3), or the Service asks for it.</summary>
    private void AddFailover(Cluster cluster, TrafficPolicy policy, MeshService service)
    {
        var byDistribution = service.Wds.LoadBalancing is { Mode: Wds.LoadBalancing.Types.Mode.Failover };
        var byRule = policy.OutlierDetection is not null && policy.LoadBalancer?.Locality?.Enabled is not false;
        if (locality is null || !(byDistribution || byRule))
            return;
        var distances = cluster.Endpoints.Select(Distance).ToList();
        var ranks = distances.Distinct().Order().ToList();
        if (ranks.Count > 1)
            cluster.LoadBalancer.FailoverPriorities.AddRange(distances.Select(d => (uint)ranks.IndexOf(d)));
    }

    private int Distance(Endpoint endpoint)
    {
        if (endpoint.Region != locality!.Region)
            return 3;
        if (endpoint.Zone != locality.Zone)
            return 2;
        return endpoint.Subzone != locality.Subzone ? 1 : 0;
    }
}

/// <summary>Which workloads serve a port of a service, and on which port of theirs.</summary>
internal sealed class EndpointIndex
{
    private readonly Dictionary<string, List<(MeshWorkload Workload, Wds.PortList Ports)>> _byService = new(StringComparer.Ordinal);

    public EndpointIndex(IEnumerable<MeshWorkload> workloads)
    {
        foreach (var workload in workloads)
        {
            foreach (var (key, ports) in workload.Wds.Services)
            {
                if (!_byService.TryGetValue(key, out var list))
                    _byService[key] = list = [];
                list.Add((workload, ports));
            }
        }
    }

    public IEnumerable<(MeshWorkload Workload, int Port)> Of(MeshService service, int port)
    {
        if (!_byService.TryGetValue(service.Key, out var list))
            yield break;
        foreach (var (workload, ports) in list)
        {
            foreach (var candidate in ports.Ports)
            {
                if (candidate.ServicePort != port || candidate.TargetPort == 0)
                    continue;
                yield return (workload, (int)candidate.TargetPort);
                break;
            }
        }
    }

    public int CountOf(MeshService service) => _byService.TryGetValue(service.Key, out var list) ? list.Count : 0;

    public IEnumerable<MeshWorkload> Of(MeshService service) => _byService.TryGetValue(service.Key, out var list) ? list.Select(l => l.Workload) : [];
}
