using System.Net;
using Google.Protobuf;
using Mesh.Model;
using Mesh.Model.Workloads;
using Proto = Istio.Workload;

namespace Mesh.Xds.Wds;

/// <summary>Workloads and services from the model onto the wire; the inverse of <see cref="WdsDecoder"/>.</summary>
public static partial class WdsEncoder
{
    public static Proto.Address Address(Workload workload) => new() { Workload = Encode(workload) };

    public static Proto.Address Address(Service service) => new() { Service = Encode(service) };

    private static ByteString Bytes(IPAddress address) => ByteString.CopyFrom(address.GetAddressBytes());

    private static Proto.GatewayAddress? Gateway(GatewayAddress? gateway)
    {
        if (gateway is null)
            return null;
        var encoded = new Proto.GatewayAddress { HboneMtlsPort = gateway.HboneMtlsPort };
        if (gateway.Address is { } address)
            encoded.Address = Network(address);
        else
            encoded.Hostname = new Proto.NamespacedHostname { Namespace = gateway.Hostname!.Value.Namespace, Hostname = gateway.Hostname.Value.Hostname };
        return encoded;
    }

    private static Proto.NetworkAddress Network(NetworkAddress address) => new() { Network = address.Network, Address = Bytes(address.Address) };

    private static IEnumerable<Proto.Port> Ports(PortMap ports) => ports.Select(p => new Proto.Port
    {
        ServicePort = p.Port,
        TargetPort = p.TargetPort,
        AppProtocol = p.AppProtocol switch
        {
            AppProtocol.Http11 => Proto.AppProtocol.Http11,
            AppProtocol.Http2 => Proto.AppProtocol.Http2,
            AppProtocol.Grpc => Proto.AppProtocol.Grpc,
            AppProtocol.Tcp => Proto.AppProtocol.Tcp,
            AppProtocol.Tls => Proto.AppProtocol.Tls,
            _ => Proto.AppProtocol.Unknown,
        },
    });
}
