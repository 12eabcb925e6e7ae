using Mesh.IstiodLite.Resources;
using Wds = Istio.Workload;

namespace Mesh.IstiodLite.Translation;

/// <summary>A translated workload and what other translations need to know about it.</summary>
internal sealed record MeshWorkload(Wds.Workload Wds, IReadOnlyDictionary<string, string> Labels, Resource Source, WaypointBinding Binding);

/// <summary>What is the same for all workloads of one translation.</summary>
internal sealed record WorkloadContext(
    MeshSettings Settings,
    string Network,
    ServiceCatalog Services,
    WaypointCatalog Waypoints,
    WaypointBinder Binder,
    WorkloadPolicies Policies,
    IReadOnlyDictionary<string, Node> Nodes,
    IReadOnlyDictionary<string, Wds.GatewayAddress> NetworkGateways);

/// <summary>Pods, WorkloadEntries, inline endpoints and EndpointSlices to <c>istio.workload.Workload</c> (reference: istiod 2.3 to 2.7).</summary>
internal sealed class WorkloadTranslator(WorkloadContext context, SlicedPods slicedPods)
{
    private readonly MeshSettings _settings = context.Settings;

    /// <summary>All workloads of one document; several for a ServiceEntry and an EndpointSlice.</summary>
    public IReadOnlyList<MeshWorkload> From(Resource source) => source switch
    {
        Pod pod => FromPod(pod) is { } workload ? [workload] : [],
        WorkloadEntry entry => MeshTranslator.InRevision(entry, _settings) && FromEntry(entry) is { } workload ? [workload] : [],
        ServiceEntry entry => [.. FromServiceEntry(entry, ServicesOf(entry))],
        EndpointSlice slice => SlicedPods.ServiceOf(slice, context.Services, _settings) is { } service ? [.. FromSlice(slice, service)] : [],
        _ => [],
    };

    /// <summary>The hosts of a ServiceEntry that no other has taken, in its order.</summary>
    private List<MeshService> ServicesOf(ServiceEntry entry) =>
        [.. entry.Hosts.Distinct(StringComparer.Ordinal).Select(h => context.Services.Find(entry.Namespace, h)).OfType<MeshService>().Where(s => ReferenceEquals(s.Source, entry))];

    public static IReadOnlyDictionary<string, string> LabelsOf(WorkloadEntry entry) => Merge(entry.Endpoint.Labels, entry.Meta.Labels);

    private MeshWorkload? FromPod(Pod pod)
    {
        if (pod.IsTerminal || pod.Addresses.Count == 0)
            return null;
        var workload = New(pod, $"{_settings.ClusterId}//Pod/{pod.Namespace}/{pod.Name}");
        foreach (var text in pod.Addresses)
        {
            // One unparsable address drops the pod: half of its addresses would be half of its policy.
            if (IpBytes.Parse(text) is not { } ip)
                return null;
            workload.Addresses.Add(IpBytes.Of(ip));
        }
        workload.Network = context.Network;
        workload.ServiceAccount = pod.ServiceAccount;
        workload.Node = pod.NodeName;
        workload.NetworkMode = pod.HostNetwork ? Wds.NetworkMode.HostNetwork : Wds.NetworkMode.Standard;
        workload.Status = pod.Ready && !pod.Meta.Deleting ? Wds.WorkloadStatus.Healthy : Wds.WorkloadStatus.Unhealthy;
        if (context.Nodes.TryGetValue(pod.NodeName, out var node))
            workload.Locality = LocalityOf(node);
        Name(workload, pod.Meta.Labels, WorkloadNames.OfPod(pod));
        Tunnel(workload, pod.Meta, pod.Meta.Labels);

        var binding = context.Binder.ForWorkload(pod.Meta, pod.Meta.Labels, pod.ServiceAccountOrDefault);
        workload.Waypoint = binding.Waypoint?.Address;
        if (pod.Meta.Label(WellKnown.GatewayName) is { } gateway)
            workload.ApplicationTunnel = context.Waypoints.Find(pod.Namespace, gateway)?.Binding;
        workload.AuthorizationPolicies.AddRange(context.Policies.For(pod.Namespace, pod.Meta.Labels, binding.Waypoint));

        foreach (var service in context.Services.Selecting(pod.Namespace, pod.Meta.Labels))
            workload.Services[service.Key] = PortsOf(service, port => PodPort(service, port, pod));
        foreach (var (service, uid) in slicedPods.Of(pod))
        {
            if (uid.Length == 0 || pod.Meta.Uid.Length == 0 || uid == pod.Meta.Uid)
                workload.Services.TryAdd(service.Key, PortsOf(service, port => PodPort(service, port, pod)));
        }
        return new MeshWorkload(workload, pod.Meta.Labels, pod, binding);
    }

    private MeshWorkload? FromEntry(WorkloadEntry entry)
    {
        var labels = LabelsOf(entry);
        var workload = New(entry, $"{_settings.ClusterId}/networking.istio.io/WorkloadEntry/{entry.Namespace}/{entry.Name}");
        Endpoint(workload, entry.Endpoint, entry.Endpoint.Network);
        if (workload.Addresses.Count == 0 && workload.Hostname.Length == 0)
            return null;
        Name(workload, labels, entry.Meta.Annotation(WellKnown.AutoRegistrationGroup) ?? labels.GetValueOrDefault("service.istio.io/workload-name") ?? entry.Name);
        Tunnel(workload, entry.Meta, labels);
        workload.Status = entry.Healthy ? Wds.WorkloadStatus.Healthy : Wds.WorkloadStatus.Unhealthy;
        var binding = context.Binder.ForWorkload(entry.Meta, labels, entry.Endpoint.ServiceAccount.Length == 0 ? "default" : entry.Endpoint.ServiceAccount);
        workload.Waypoint = binding.Waypoint?.Address;
        workload.AuthorizationPolicies.AddRange(context.Policies.For(entry.Namespace, labels, binding.Waypoint));
        foreach (var service in context.Services.Selecting(entry.Namespace, labels))
            workload.Services[service.Key] = PortsOf(service, port => EntryPort(service, port, entry.Endpoint));
        return new MeshWorkload(workload, labels, entry, binding);
    }

    private IEnumerable<MeshWorkload> FromServiceEntry(ServiceEntry entry, IReadOnlyList<MeshService> services)
    {
        if (services.Count == 0 || entry.WorkloadSelector is not null)
            yield break;
        foreach (var endpoint in entry.Endpoints)
            yield return Inline(entry, endpoint, endpoint.Address, services);
        if (entry.Endpoints.Count > 0 || !entry.ResolvesByDns)
            yield break;
        foreach (var service in services)
            yield return Inline(entry, new EntryEndpoint { Address = service.Hostname }, service.Hostname, [service], isImplicit: true);
    }

    private IEnumerable<MeshWorkload> FromSlice(EndpointSlice slice, MeshService service)
    {
        if (slice.AddressType is "FQDN")
            yield break;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var endpoint in slice.Endpoints)
        {
            if (endpoint.Addresses.Count == 0 || endpoint.TargetKind is "Pod" || !seen.Add(endpoint.Addresses[0]))
                continue;
            var workload = new Wds.Workload
            {
                Uid = $"{_settings.ClusterId}/discovery.k8s.io/EndpointSlice/{slice.Namespace}/{slice.Name}/{endpoint.Addresses[0]}",
                Name = slice.Name,
                Namespace = slice.Namespace,
                Network = context.Network,
                ClusterId = _settings.ClusterId,
                TrustDomain = _settings.IsDefaultTrustDomain ? string.Empty : _settings.TrustDomain,
                NetworkMode = Wds.NetworkMode.HostNetwork,
                Status = endpoint.Ready ? Wds.WorkloadStatus.Healthy : Wds.WorkloadStatus.Unhealthy,
            };
            workload.Addresses.AddRange(endpoint.Addresses.Select(IpBytes.Parse).OfType<System.Net.IPAddress>().Select(IpBytes.Of));
            var ports = slice.Ports
                .Where(p => p is { Protocol: "TCP", Name: not null, Port: not null })
                .ToLookup(p => p.Name!, p => p.Port!.Value, StringComparer.Ordinal);
            workload.Services[service.Key] = PortsOf(service, port => ports.Contains(port.Name) ? ports[port.Name].First() : null);
            yield return new MeshWorkload(workload, slice.Meta.Labels, slice, WaypointBinding.Nothing);
        }
    }

    private MeshWorkload Inline(ServiceEntry entry, EntryEndpoint endpoint, string uidSuffix, IReadOnlyList<MeshService> services, bool isImplicit = false)
    {
        var workload = New(entry, $"{_settings.ClusterId}/networking.istio.io/ServiceEntry/{entry.Namespace}/{entry.Name}/{uidSuffix}");
        Endpoint(workload, endpoint, endpoint.Network);
        Name(workload, entry.Meta.Labels, entry.Name);
        Tunnel(workload, entry.Meta, Merge(entry.Meta.Labels, endpoint.Labels));
        // Policies and names follow the ServiceEntry's labels, the waypoint the endpoint's: that is what Istio reads.
        var binding = isImplicit ? WaypointBinding.Nothing : context.Binder.ForWorkload(entry.Meta, endpoint.Labels, null);
        workload.Waypoint = binding.Waypoint?.Address;
        workload.AuthorizationPolicies.AddRange(context.Policies.For(entry.Namespace, entry.Meta.Labels, binding.Waypoint));
        foreach (var service in services)
            workload.Services[service.Key] = PortsOf(service, port => EntryPort(service, port, endpoint));
        return new MeshWorkload(workload, Merge(entry.Meta.Labels, endpoint.Labels), entry, binding);
    }

    private Wds.Workload New(Resource source, string uid) => new()
    {
        Uid = uid,
        Name = source.Name,
        Namespace = source.Namespace,
        ClusterId = _settings.ClusterId,
        TrustDomain = _settings.IsDefaultTrustDomain ? string.Empty : _settings.TrustDomain,
        WorkloadType = Wds.WorkloadType.Pod,
    };

    private void Endpoint(Wds.Workload workload, EntryEndpoint endpoint, string ownNetwork)
    {
        workload.Network = ownNetwork.Length > 0 ? ownNetwork : context.Network;
        if (workload.Network != context.Network && context.NetworkGateways.TryGetValue(workload.Network, out var gateway))
            workload.NetworkGateway = gateway;
        workload.ServiceAccount = endpoint.ServiceAccount;
        if (IpBytes.Parse(endpoint.Address) is { } ip)
            workload.Addresses.Add(IpBytes.Of(ip));
        else
            workload.Hostname = endpoint.Address;
        if (endpoint.Weight > 0)
            workload.Capacity = endpoint.Weight;
        if (endpoint.Locality.Length == 0)
            return;
        var parts = endpoint.Locality.Split('/');
        workload.Locality = new Wds.Locality { Region = parts[0], Zone = parts.ElementAtOrDefault(1) ?? "", Subzone = parts.ElementAtOrDefault(2) ?? "" };
    }

    private static void Name(Wds.Workload workload, IReadOnlyDictionary<string, string> labels, string workloadName)
    {
        workload.WorkloadName = workloadName;
        workload.CanonicalName = WorkloadNames.Canonical(labels, workloadName);
        workload.CanonicalRevision = WorkloadNames.Revision(labels);
    }

    private static void Tunnel(Wds.Workload workload, ObjectMeta meta, IReadOnlyDictionary<string, string> labels)
    {
        if (meta.Annotation(WellKnown.Redirection) is "enabled")
            workload.TunnelProtocol = Wds.TunnelProtocol.Hbone;
        if (labels.TryGetValue(WellKnown.TunnelLabel, out var modes) && modes.Split(',').Contains("http", StringComparer.Ordinal))
        {
            workload.TunnelProtocol = Wds.TunnelProtocol.Hbone;
            workload.NativeTunnel = true;
        }
    }

    private static Wds.PortList PortsOf(MeshService service, Func<MeshPort, int?> resolve)
    {
        var list = new Wds.PortList();
        foreach (var port in service.Ports)
        {
            if (resolve(port) is { } target)
                list.Ports.Add(new Wds.Port { ServicePort = (uint)port.Number, TargetPort = (uint)target });
        }
        return list;
    }

    private static int? PodPort(MeshService service, MeshPort port, Pod pod)
    {
        if (!service.IsKubernetes)
            return pod.FindTcpPort(port.Name) ?? port.TargetNumber;
        if (port.TargetName is null)
            return port.TargetNumber;
        // Only TCP is carried: a named UDP port stays in the list, leading nowhere, as Istio has it.
        return port.IsTcp ? pod.FindTcpPort(port.TargetName) : 0;
    }

    private static int? EntryPort(MeshService service, MeshPort port, EntryEndpoint endpoint)
    {
        if (endpoint.Ports.TryGetValue(port.Name, out var mapped) || (port.TargetName is not null && endpoint.Ports.TryGetValue(port.TargetName, out mapped)))
            return mapped;
        return service.IsKubernetes ? port.TargetNumber ?? (port.TargetName is null ? port.Number : null) : port.TargetNumber;
    }

    private static Wds.Locality? LocalityOf(Node node)
    {
        var locality = new Wds.Locality
        {
            Region = node.Meta.Label(WellKnown.Region) ?? "",
            Zone = node.Meta.Label(WellKnown.Zone) ?? "",
            Subzone = node.Meta.Label(WellKnown.Subzone) ?? "",
        };
        return locality.Equals(new Wds.Locality()) ? null : locality;
    }

    private static IReadOnlyDictionary<string, string> Merge(IReadOnlyDictionary<string, string> a, IReadOnlyDictionary<string, string> b)
    {
        if (b.Count == 0)
            return a;
        var merged = new Dictionary<string, string>(a, StringComparer.Ordinal);
        foreach (var (key, value) in b)
            merged[key] = value;
        return merged;
    }
}
