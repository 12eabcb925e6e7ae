using System.Net;
using Mesh.Model;
using Mesh.Model.Collections;
using Mesh.Model.Workloads;

namespace Mesh.Ztunnel.Tests;

/// <summary>Builds small snapshots by name.</summary>
internal sealed class MeshWorld
{
    private readonly MeshUpdate _update = new();

    public static GatewayAddress By(string networkAndIp, ushort port = 15008) =>
        NetworkAddress.TryParse(networkAndIp, out var address) ? GatewayAddress.ByAddress(address, port) : throw new ArgumentException(networkAndIp);

    public static GatewayAddress ByHost(string namespaceAndHost, ushort port = 15008) =>
        NamespacedHostname.TryParse(namespaceAndHost, out var name) ? GatewayAddress.ByHostname(name, port) : throw new ArgumentException(namespaceAndHost);

    public static ServiceMembership In(string namespaceAndHost, params (int Port, int Target)[] ports) =>
        NamespacedHostname.TryParse(namespaceAndHost, out var name) ? new ServiceMembership(name, Ports(ports)) : throw new ArgumentException(namespaceAndHost);

    public static PortMap Ports(params (int Port, int Target)[] ports) => PortMap.Create(ports.Select(p => new ServicePort((ushort)p.Port, (ushort)p.Target)));

    public static Workload Workload(string name, params string[] addresses) => new()
    {
        Uid = $"cluster1//Pod/ns1/{name}",
        Name = name,
        Namespace = "ns1",
        ServiceAccount = name,
        Addresses = [.. addresses.Select(IPAddress.Parse)],
        Node = "local-node",
    };

    public static Workload Hbone(string name, params string[] addresses) => Workload(name, addresses) with { Protocol = TunnelProtocol.Hbone };

    public static Service Service(string name, string vip, params (int Port, int Target)[] ports) => new()
    {
        Name = name,
        Namespace = "ns1",
        Hostname = $"{name}.ns1.svc.cluster.local",
        Vips = vip.Length == 0 ? [] : [new NetworkAddress("", IPAddress.Parse(vip))],
        Ports = Ports(ports),
    };

    public MeshWorld With(params ReadOnlySpan<Workload> workloads)
    {
        _update.Workloads.AddRange(workloads);
        return this;
    }

    public MeshWorld With(params ReadOnlySpan<Service> services)
    {
        _update.Services.AddRange(services);
        return this;
    }

    public MeshUpdate Update => _update;

    public MeshSnapshot Snapshot()
    {
        var state = new MeshState("local-node");
        state.Apply(_update);
        return state.Current;
    }
}
