using Mesh.Model.Workloads;
using Proto = Istio.Workload;

namespace Mesh.Xds.Wds;

/// <content>Workloads.</content>
public static partial class WdsEncoder
{
    public static Proto.Workload Encode(Workload workload)
    {
        var encoded = new Proto.Workload
        {
            Uid = workload.Uid,
            Name = workload.Name,
            Namespace = workload.Namespace,
            // Defaults are left out, as istiod does: most of a mesh is in the default trust domain and cluster.
            TrustDomain = workload.TrustDomain == Workload.DefaultTrustDomain ? string.Empty : workload.TrustDomain,
            ServiceAccount = workload.ServiceAccount == Workload.DefaultServiceAccount ? string.Empty : workload.ServiceAccount,
            ClusterId = workload.ClusterId == Workload.DefaultClusterId ? string.Empty : workload.ClusterId,
            Network = workload.Network,
            NetworkMode = workload.NetworkMode == NetworkMode.HostNetwork ? Proto.NetworkMode.HostNetwork : Proto.NetworkMode.Standard,
            TunnelProtocol = workload.Protocol == TunnelProtocol.Hbone ? Proto.TunnelProtocol.Hbone : Proto.TunnelProtocol.None,
            Waypoint = Gateway(workload.Waypoint),
            NetworkGateway = Gateway(workload.NetworkGateway),
            Node = workload.Node,
            Hostname = workload.Hostname,
            Status = workload.Status == HealthStatus.Unhealthy ? Proto.WorkloadStatus.Unhealthy : Proto.WorkloadStatus.Healthy,
            Capacity = workload.Capacity == 1 ? null : workload.Capacity,
            NativeTunnel = workload.NativeTunnel,
            CanonicalName = workload.CanonicalName,
            CanonicalRevision = workload.CanonicalRevision,
            WorkloadName = workload.WorkloadName,
            WorkloadType = workload.WorkloadType switch
            {
                WorkloadType.CronJob => Proto.WorkloadType.Cronjob,
                WorkloadType.Pod => Proto.WorkloadType.Pod,
                WorkloadType.Job => Proto.WorkloadType.Job,
                _ => Proto.WorkloadType.Deployment,
            },
        };
        encoded.Addresses.AddRange(workload.Addresses.Select(Bytes));
        encoded.AuthorizationPolicies.AddRange(workload.AuthorizationPolicies);
        if (workload.Locality != Locality.Unknown)
            encoded.Locality = new Proto.Locality { Region = workload.Locality.Region, Zone = workload.Locality.Zone, Subzone = workload.Locality.Subzone };
        if (workload.ApplicationTunnel is { } tunnel)
        {
            encoded.ApplicationTunnel = new Proto.ApplicationTunnel
            {
                Protocol = tunnel.Protocol == ApplicationTunnelProtocol.Proxy ? Proto.ApplicationTunnel.Types.Protocol.Proxy : Proto.ApplicationTunnel.Types.Protocol.None,
                Port = tunnel.Port ?? 0u,
            };
        }

        foreach (var membership in workload.Services)
        {
            var ports = new Proto.PortList();
            ports.Ports.AddRange(Ports(membership.Ports));
            encoded.Services[membership.Service.ToString()] = ports;
        }

        return encoded;
    }
}
