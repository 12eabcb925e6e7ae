using Mesh.Model;
using Mesh.Model.Collections;
using Mesh.Model.Workloads;
using Proto = Istio.Workload;

namespace Mesh.Xds.Wds;

/// <content>Workloads.</content>
public static partial class WdsDecoder
{
    public static Workload Decode(Proto.Workload workload) => new()
    {
        Uid = workload.Uid,
        Name = workload.Name,
        Namespace = workload.Namespace,
        TrustDomain = OrDefault(workload.TrustDomain, Workload.DefaultTrustDomain),
        ServiceAccount = OrDefault(workload.ServiceAccount, Workload.DefaultServiceAccount),
        Network = workload.Network,
        Addresses = List(workload.Addresses, Ip),
        NetworkMode = workload.NetworkMode switch
        {
            Proto.NetworkMode.Standard => NetworkMode.Standard,
            Proto.NetworkMode.HostNetwork => NetworkMode.HostNetwork,
            _ => throw Unknown("network_mode", workload.NetworkMode),
        },
        Protocol = workload.TunnelProtocol switch
        {
            Proto.TunnelProtocol.None => TunnelProtocol.Tcp,
            Proto.TunnelProtocol.Hbone => TunnelProtocol.Hbone,
            Proto.TunnelProtocol.LegacyIstioMtls => throw new WdsRejectedException("tunnel_protocol LEGACY_ISTIO_MTLS is not spoken here"),
            _ => throw Unknown("tunnel_protocol", workload.TunnelProtocol),
        },
        Waypoint = Gateway(workload.Waypoint),
        NetworkGateway = Gateway(workload.NetworkGateway),
        ApplicationTunnel = Tunnel(workload.ApplicationTunnel),
        Node = workload.Node,
        ClusterId = OrDefault(workload.ClusterId, Workload.DefaultClusterId),
        Locality = workload.Locality is { } locality ? new Locality(locality.Region, locality.Zone, locality.Subzone) : Locality.Unknown,
        Hostname = workload.Hostname,
        Status = workload.Status switch
        {
            Proto.WorkloadStatus.Healthy => HealthStatus.Healthy,
            Proto.WorkloadStatus.Unhealthy => HealthStatus.Unhealthy,
            _ => throw Unknown("status", workload.Status),
        },
        Capacity = workload.Capacity ?? 1, // unset is 1, an explicit 0 takes it out of the choice
        NativeTunnel = workload.NativeTunnel,
        CanonicalName = workload.CanonicalName,
        CanonicalRevision = workload.CanonicalRevision,
        WorkloadName = workload.WorkloadName,
        WorkloadType = workload.WorkloadType switch
        {
            Proto.WorkloadType.Cronjob => WorkloadType.CronJob,
            Proto.WorkloadType.Pod => WorkloadType.Pod,
            Proto.WorkloadType.Job => WorkloadType.Job,
            _ => WorkloadType.Deployment,
        },
        Services = workload.Services.Count == 0 ? default : workload.Services.OrderBy(s => s.Key, StringComparer.Ordinal).Select(Membership).ToValueList(),
        AuthorizationPolicies = workload.AuthorizationPolicies.Count == 0 ? default : workload.AuthorizationPolicies.ToValueList(),
    };

    private static ServiceMembership Membership(KeyValuePair<string, Proto.PortList> service) =>
        NamespacedHostname.TryParse(service.Key, out var name)
            ? new ServiceMembership(name, Ports(service.Value.Ports))
            : throw new WdsRejectedException($"failed to parse namespaced hostname: '{service.Key}' is not of the form namespace/hostname");

    private static ApplicationTunnel? Tunnel(Proto.ApplicationTunnel? tunnel)
    {
        if (tunnel is null)
            return null;
        var protocol = tunnel.Protocol switch
        {
            Proto.ApplicationTunnel.Types.Protocol.None => ApplicationTunnelProtocol.None,
            Proto.ApplicationTunnel.Types.Protocol.Proxy => ApplicationTunnelProtocol.Proxy,
            _ => throw Unknown("application_tunnel.protocol", tunnel.Protocol),
        };
        return new ApplicationTunnel(protocol, Port(tunnel.Port) is > 0 and var port ? port : null);
    }
}
