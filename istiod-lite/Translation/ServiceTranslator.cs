using System.Net;
using Mesh.IstiodLite.Resources;
using Wds = Istio.Workload;

namespace Mesh.IstiodLite.Translation;

/// <summary>Services and ServiceEntries to <c>istio.workload.Service</c> (reference: istiod 2.8).</summary>
internal sealed class ServiceTranslator(MeshSettings settings, string network, WaypointBinder binder, IReadOnlyDictionary<string, NamespaceResource> namespaces, AddressBook book)
{
    public MeshService? FromService(Service service, string? endpointAccount)
    {
        if (service.Type is "ExternalName")
            return null;
        var managed = service.Meta.Label(WellKnown.GatewayManaged) is "istio.io-mesh-controller" or "istio.io-eastwest-controller";
        var binding = managed ? WaypointBinding.Nothing : binder.ForService(service.Meta, endpointAccount);
        var ports = service.Ports.Select(p => new MeshPort(
            p.Name, p.Port, p.TargetNumber ?? (p.TargetName is null ? p.Port : null), p.TargetName, Protocols.OfService(p.Protocol, p.Name, p.Port, p.AppProtocol), p.Protocol is "TCP")).ToList();
        var hostname = $"{service.Name}.{service.Namespace}.svc.{settings.ClusterDomain}";
        var result = new Wds.Service
        {
            Name = service.Name,
            Namespace = service.Namespace,
            Hostname = hostname,
            Canonical = true,
            LoadBalancing = LoadBalancingOf(service),
            IpFamilies = service.IpFamilies switch
            {
                { Count: >= 2 } => Wds.IPFamilies.Dual,
                ["IPv4"] => Wds.IPFamilies.Ipv4Only,
                ["IPv6"] => Wds.IPFamilies.Ipv6Only,
                _ => Wds.IPFamilies.Automatic,
            },
        };
        IEnumerable<string> addresses = service.ClusterIps.Count > 0 ? service.ClusterIps : book.Entries.TryGetValue(AddressBook.ServiceKey(service), out var given) ? [given] : [];
        foreach (var text in addresses)
        {
            if (IpBytes.Parse(text) is { } ip)
                result.Addresses.Add(Address(ip));
        }
        AddPorts(result, ports);
        ApplyBinding(result, binding);
        return new MeshService { Source = service, Hostname = hostname, Ports = ports, Selector = service.Selector, Wds = result, Binding = binding, Canonical = true };
    }

    public EntryVisibility VisibilityOf(ServiceEntry entry)
    {
        var labels = namespaces.GetValueOrDefault(entry.Namespace)?.Meta.Labels ?? new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var policy in settings.VisibilityPolicies)
        {
            if (policy.NamespaceSelectors.Any(s => s.Matches(labels)))
                return policy.Visibility;
        }
        return settings.DefaultVisibility ?? EntryVisibility.Public;
    }

    public IEnumerable<MeshService> FromEntry(ServiceEntry entry)
    {
        var visibility = VisibilityOf(entry);
        if (visibility is EntryVisibility.None)
            yield break;
        var binding = binder.ForService(entry.Meta, null, visibility is EntryVisibility.Namespace);
        var ports = entry.Ports.Select(p => new MeshPort(p.Name, p.Number, p.TargetPort == 0 ? p.Number : p.TargetPort, null, Protocols.OfName(p.Protocol))).ToList();
        foreach (var host in entry.Hosts)
        {
            var result = new Wds.Service
            {
                Name = entry.Name,
                Namespace = entry.Namespace,
                Hostname = host,
                Visibility = visibility is EntryVisibility.Namespace ? Wds.Service.Types.Visibility.Namespace : Wds.Service.Types.Visibility.Public,
                LoadBalancing = LoadBalancingOf(entry),
            };
            result.SubjectAltNames.AddRange(entry.SubjectAltNames);
            AddAddresses(result, entry, host);
            AddPorts(result, ports);
            ApplyBinding(result, binding);
            yield return new MeshService { Source = entry, Hostname = host, Ports = ports, Selector = entry.WorkloadSelector, Wds = result, Binding = binding };
        }
    }

    private void AddAddresses(Wds.Service result, ServiceEntry entry, string host)
    {
        foreach (var text in entry.Addresses)
        {
            if (IpBytes.ParsePrefix(text) is not { } prefix)
                continue;
            var isHost = !text.Contains('/', StringComparison.Ordinal) || prefix.Length == prefix.Address.GetAddressBytes().Length * 8;
            var address = Address(isHost ? prefix.Address : IpBytes.Mask(prefix.Address, prefix.Length));
            if (!isHost)
                address.Length = (uint)prefix.Length;
            result.Addresses.Add(address);
        }
        if (entry.Addresses.Count > 0 || entry.Resolution is EntryResolution.None)
            return;
        foreach (var v6 in (ReadOnlySpan<bool>)[false, true])
        {
            if (book.Entries.TryGetValue(AddressBook.EntryKey(entry, host, v6), out var text) && IpBytes.Parse(text) is { } ip)
                result.Addresses.Add(Address(ip));
        }
    }

    private Wds.NetworkAddress Address(IPAddress ip) => new() { Network = network, Address = IpBytes.Of(ip) };

    private static void AddPorts(Wds.Service service, List<MeshPort> ports)
    {
        foreach (var port in ports)
            service.Ports.Add(new Wds.Port { ServicePort = (uint)port.Number, TargetPort = (uint)(port.TargetNumber ?? 0), AppProtocol = port.Protocol });
    }

    private static void ApplyBinding(Wds.Service service, WaypointBinding binding)
    {
        if (binding.Waypoint is not { } waypoint)
            return;
        service.Waypoint = waypoint.Address;
        service.IngressUseWaypoint = binding.IngressUsesWaypoint is true;
        if (binding.Canary is not { } canary)
            return;
        service.WeightedWaypoints.Add(new Wds.WeightedWaypoint { Destination = waypoint.Address, Weight = 100 - binding.CanaryWeight });
        service.WeightedWaypoints.Add(new Wds.WeightedWaypoint { Destination = canary.Address, Weight = binding.CanaryWeight });
    }

    private Wds.LoadBalancing? LoadBalancingOf(Service service)
    {
        var result = service.InternalTrafficPolicy is "Local"
            ? Preference(Wds.LoadBalancing.Types.Mode.Strict, Wds.LoadBalancing.Types.Scope.Node)
            : Distribution(service.TrafficDistribution, ignoreCase: false) ?? AnnotatedDistribution(service.Meta);
        if (service.PublishNotReadyAddresses)
            (result ??= new Wds.LoadBalancing()).HealthPolicy = Wds.LoadBalancing.Types.HealthPolicy.AllowAll;
        return result;
    }

    private Wds.LoadBalancing? LoadBalancingOf(ServiceEntry entry) => entry.Resolution is EntryResolution.None
        ? new Wds.LoadBalancing { Mode = Wds.LoadBalancing.Types.Mode.Passthrough, HealthPolicy = Wds.LoadBalancing.Types.HealthPolicy.AllowAll }
        : AnnotatedDistribution(entry.Meta);

    /// <summary>An annotation of the object's own decides, even with a value that means nothing.</summary>
    private Wds.LoadBalancing? AnnotatedDistribution(ObjectMeta meta) =>
        Distribution(meta.Annotation(WellKnown.TrafficDistribution) ?? namespaces.GetValueOrDefault(meta.Namespace)?.Meta.Annotation(WellKnown.TrafficDistribution), ignoreCase: true);

    private static Wds.LoadBalancing? Distribution(string? value, bool ignoreCase)
    {
        var comparison = ignoreCase ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;
        if (string.Equals(value, "PreferClose", comparison) || string.Equals(value, "PreferSameZone", comparison))
        {
            return Preference(Wds.LoadBalancing.Types.Mode.Failover,
                Wds.LoadBalancing.Types.Scope.Network, Wds.LoadBalancing.Types.Scope.Region, Wds.LoadBalancing.Types.Scope.Zone);
        }
        if (string.Equals(value, "PreferSameNode", comparison))
        {
            return Preference(Wds.LoadBalancing.Types.Mode.Failover, Wds.LoadBalancing.Types.Scope.Network, Wds.LoadBalancing.Types.Scope.Region,
                Wds.LoadBalancing.Types.Scope.Zone, Wds.LoadBalancing.Types.Scope.Subzone, Wds.LoadBalancing.Types.Scope.Node);
        }
        return null;
    }

    private static Wds.LoadBalancing Preference(Wds.LoadBalancing.Types.Mode mode, params ReadOnlySpan<Wds.LoadBalancing.Types.Scope> scopes)
    {
        var result = new Wds.LoadBalancing { Mode = mode };
        foreach (var scope in scopes)
            result.RoutingPreference.Add(scope);
        return result;
    }
}
