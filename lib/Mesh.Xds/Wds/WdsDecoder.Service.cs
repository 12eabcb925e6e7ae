using Mesh.Model;
using Mesh.Model.Collections;
using Mesh.Model.Workloads;
using Proto = Istio.Workload;

namespace Mesh.Xds.Wds;

/// <content>Services.</content>
public static partial class WdsDecoder
{
    public static Service Decode(Proto.Service service, Action<string>? warning = null)
    {
        var vips = new List<NetworkAddress>();
        var cidrs = new List<NetworkPrefix>();
        foreach (var address in service.Addresses)
        {
            var ip = Ip(address.Address);
            var whole = address.Address.Length * 8;
            if (!address.HasLength || address.Length == whole)
                vips.Add(new NetworkAddress(address.Network, ip));
            else if (address.Length <= whole && IpPrefix.TryCreate(ip, (int)address.Length, out var prefix))
                cidrs.Add(new NetworkPrefix(address.Network, prefix));
            else
                throw new WdsRejectedException($"invalid prefix length {address.Length} for address {ip}");
        }

        return new Service
        {
            Name = service.Name,
            Namespace = service.Namespace,
            Hostname = service.Hostname,
            Vips = vips.ToValueList(),
            CidrVips = cidrs.ToValueList(),
            Ports = Ports(service.Ports),
            SubjectAltNames = Identities(service, warning),
            Waypoint = Gateway(service.Waypoint),
            WeightedWaypoints = List(service.WeightedWaypoints, Weighted),
            LoadBalancer = Balancer(service.LoadBalancing),
            IpFamilies = service.IpFamilies switch
            {
                Proto.IPFamilies.Automatic => null,
                Proto.IPFamilies.Ipv4Only => IpFamilies.IPv4,
                Proto.IPFamilies.Ipv6Only => IpFamilies.IPv6,
                Proto.IPFamilies.Dual => IpFamilies.Dual,
                _ => throw Unknown("ip_families", service.IpFamilies),
            },
            Canonical = service.Canonical,
            IngressUseWaypoint = service.IngressUseWaypoint,
            // An unknown restriction is read as none: hiding a service from everybody is the larger harm, and it protects nothing.
            Visibility = service.Visibility == Proto.Service.Types.Visibility.Namespace ? ServiceVisibility.Namespace : ServiceVisibility.Public,
        };
    }

    private static ValueList<SpiffeId> Identities(Proto.Service service, Action<string>? warning)
    {
        if (service.SubjectAltNames.Count == 0)
            return default;
        var identities = new List<SpiffeId>(service.SubjectAltNames.Count);
        foreach (var name in service.SubjectAltNames)
        {
            if (SpiffeId.TryParse(name, out var identity))
                identities.Add(identity);
            else
                warning?.Invoke($"service {service.Namespace}/{service.Hostname}: the subject alternative name '{name}' is not a SPIFFE id and is left out");
        }

        return identities.ToValueList();
    }

    private static WeightedWaypoint Weighted(Proto.WeightedWaypoint waypoint) =>
        new(Gateway(waypoint.Destination) ?? throw new WdsRejectedException("a weighted waypoint has no destination"), waypoint.Weight);

    private static LoadBalancer? Balancer(Proto.LoadBalancing? balancing)
    {
        if (balancing is null)
            return null;
        return new LoadBalancer
        {
            RoutingPreferences = List(balancing.RoutingPreference, scope => scope switch
            {
                Proto.LoadBalancing.Types.Scope.Region => LoadBalancerScope.Region,
                Proto.LoadBalancing.Types.Scope.Zone => LoadBalancerScope.Zone,
                Proto.LoadBalancing.Types.Scope.Subzone => LoadBalancerScope.Subzone,
                Proto.LoadBalancing.Types.Scope.Node => LoadBalancerScope.Node,
                Proto.LoadBalancing.Types.Scope.Cluster => LoadBalancerScope.Cluster,
                Proto.LoadBalancing.Types.Scope.Network => LoadBalancerScope.Network,
                _ => throw Unknown("load_balancing.routing_preference", scope),
            }),
            Mode = balancing.Mode switch
            {
                Proto.LoadBalancing.Types.Mode.UnspecifiedMode => LoadBalancerMode.Standard,
                Proto.LoadBalancing.Types.Mode.Strict => LoadBalancerMode.Strict,
                Proto.LoadBalancing.Types.Mode.Failover => LoadBalancerMode.Failover,
                Proto.LoadBalancing.Types.Mode.Passthrough => LoadBalancerMode.Passthrough,
                _ => throw Unknown("load_balancing.mode", balancing.Mode),
            },
            HealthPolicy = balancing.HealthPolicy switch
            {
                Proto.LoadBalancing.Types.HealthPolicy.OnlyHealthy => HealthPolicy.OnlyHealthy,
                Proto.LoadBalancing.Types.HealthPolicy.AllowAll => HealthPolicy.AllowAll,
                _ => throw Unknown("load_balancing.health_policy", balancing.HealthPolicy),
            },
        };
    }
}
