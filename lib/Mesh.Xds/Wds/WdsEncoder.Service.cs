using Mesh.Model.Workloads;
using Proto = Istio.Workload;

namespace Mesh.Xds.Wds;

/// <content>Services.</content>
public static partial class WdsEncoder
{
    public static Proto.Service Encode(Service service)
    {
        var encoded = new Proto.Service
        {
            Name = service.Name,
            Namespace = service.Namespace,
            Hostname = service.Hostname,
            Waypoint = Gateway(service.Waypoint),
            LoadBalancing = Balancer(service.LoadBalancer),
            IpFamilies = service.IpFamilies switch
            {
                IpFamilies.IPv4 => Proto.IPFamilies.Ipv4Only,
                IpFamilies.IPv6 => Proto.IPFamilies.Ipv6Only,
                IpFamilies.Dual => Proto.IPFamilies.Dual,
                _ => Proto.IPFamilies.Automatic,
            },
            Canonical = service.Canonical,
            IngressUseWaypoint = service.IngressUseWaypoint,
            Visibility = service.Visibility == ServiceVisibility.Namespace ? Proto.Service.Types.Visibility.Namespace : Proto.Service.Types.Visibility.Public,
        };
        encoded.Addresses.AddRange(service.Vips.Select(Network));
        encoded.Addresses.AddRange(service.CidrVips.Select(c => new Proto.NetworkAddress
        {
            Network = c.Network,
            Address = Bytes(c.Prefix.Network),
            Length = (uint)c.Prefix.Length,
        }));
        encoded.Ports.AddRange(Ports(service.Ports));
        encoded.SubjectAltNames.AddRange(service.SubjectAltNames.Select(i => i.ToString()));
        encoded.WeightedWaypoints.AddRange(service.WeightedWaypoints.Select(w => new Proto.WeightedWaypoint { Destination = Gateway(w.Destination), Weight = w.Weight }));
        return encoded;
    }

    private static Proto.LoadBalancing? Balancer(LoadBalancer? balancer)
    {
        if (balancer is null)
            return null;
        var encoded = new Proto.LoadBalancing
        {
            Mode = balancer.Mode switch
            {
                LoadBalancerMode.Strict => Proto.LoadBalancing.Types.Mode.Strict,
                LoadBalancerMode.Failover => Proto.LoadBalancing.Types.Mode.Failover,
                LoadBalancerMode.Passthrough => Proto.LoadBalancing.Types.Mode.Passthrough,
                _ => Proto.LoadBalancing.Types.Mode.UnspecifiedMode,
            },
            HealthPolicy = balancer.HealthPolicy == HealthPolicy.AllowAll ? Proto.LoadBalancing.Types.HealthPolicy.AllowAll : Proto.LoadBalancing.Types.HealthPolicy.OnlyHealthy,
        };
        encoded.RoutingPreference.AddRange(balancer.RoutingPreferences.Select(s => s switch
        {
            LoadBalancerScope.Region => Proto.LoadBalancing.Types.Scope.Region,
            LoadBalancerScope.Zone => Proto.LoadBalancing.Types.Scope.Zone,
            LoadBalancerScope.Subzone => Proto.LoadBalancing.Types.Scope.Subzone,
            LoadBalancerScope.Node => Proto.LoadBalancing.Types.Scope.Node,
            LoadBalancerScope.Cluster => Proto.LoadBalancing.Types.Scope.Cluster,
            _ => Proto.LoadBalancing.Types.Scope.Network,
        }));
        return encoded;
    }
}
