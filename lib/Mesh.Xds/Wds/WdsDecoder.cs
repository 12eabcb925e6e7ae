using System.Net;
using Google.Protobuf;
using Mesh.Model;
using Mesh.Model.Collections;
using Mesh.Model.Workloads;
using Proto = Istio.Workload;

namespace Mesh.Xds.Wds;

/// <summary>Workloads and services from the wire into the model: every check and every default is here, the model never sees a half-made thing.</summary>
/// <remarks>An enum value that we do not know rejects the resource, except where the protocol asks to be lenient (visibility, workload type).</remarks>
public static partial class WdsDecoder
{
    /// <summary>Adds the resource to the update, or throws <see cref="WdsRejectedException"/>.</summary>
    public static void Decode(Proto.Address address, MeshUpdate update, Action<string>? warning = null)
    {
        switch (address.TypeCase)
        {
            case Proto.Address.TypeOneofCase.Workload:
                update.Workloads.Add(Decode(address.Workload));
                break;
            case Proto.Address.TypeOneofCase.Service:
                update.Services.Add(Decode(address.Service, warning));
                break;
            default:
                throw new WdsRejectedException("the address is neither a workload nor a service");
        }
    }

    internal static IPAddress Ip(ByteString bytes) => bytes.Length is 4 or 16
        ? Unmapped(new IPAddress(bytes.Span))
        : throw new WdsRejectedException($"failed to parse address, had {bytes.Length} bytes");

    private static NetworkAddress Network(Proto.NetworkAddress address) => new(address.Network, Ip(address.Address));

    private static GatewayAddress? Gateway(Proto.GatewayAddress? gateway)
    {
        if (gateway is null)
            return null;
        var port = Port(gateway.HboneMtlsPort);
        return gateway.DestinationCase switch
        {
            Proto.GatewayAddress.DestinationOneofCase.Hostname =>
                GatewayAddress.ByHostname(new NamespacedHostname(gateway.Hostname.Namespace, gateway.Hostname.Hostname), port),
            Proto.GatewayAddress.DestinationOneofCase.Address => GatewayAddress.ByAddress(Network(gateway.Address), port),
            _ => throw new WdsRejectedException("a gateway address has neither hostname nor address"),
        };
    }

    private static PortMap Ports(IEnumerable<Proto.Port> ports) =>
        PortMap.Create(ports.Select(p => new ServicePort(Port(p.ServicePort), Port(p.TargetPort), Protocol(p.AppProtocol))));

    // Not acted upon by the node agent, so a newer control plane may name protocols that do not exist yet.
    private static AppProtocol Protocol(Proto.AppProtocol protocol) => protocol switch
    {
        Proto.AppProtocol.Http11 => AppProtocol.Http11,
        Proto.AppProtocol.Http2 => AppProtocol.Http2,
        Proto.AppProtocol.Grpc => AppProtocol.Grpc,
        Proto.AppProtocol.Tcp => AppProtocol.Tcp,
        Proto.AppProtocol.Tls => AppProtocol.Tls,
        _ => AppProtocol.Unknown,
    };

    // The wire has 32 bits; the upper half is cut off, as every client of this API does.
    internal static ushort Port(uint port) => unchecked((ushort)port);

    private static string OrDefault(string value, string defaultValue) => value.Length > 0 ? value : defaultValue;

    private static WdsRejectedException Unknown<T>(string field, T value)
        where T : struct, Enum => new($"{field} has the unknown value {Convert.ToInt32(value, System.Globalization.CultureInfo.InvariantCulture)}");

    // One address, one spelling: ::ffff:10.0.0.1 would never be found by a connection to 10.0.0.1.
    private static IPAddress Unmapped(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private static ValueList<TOut> List<TIn, TOut>(IReadOnlyCollection<TIn> items, Func<TIn, TOut> convert) =>
        items.Count == 0 ? default : items.Select(convert).ToValueList();
}
