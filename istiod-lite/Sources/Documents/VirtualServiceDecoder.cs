using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

internal static class VirtualServiceDecoder
{
    public static Resource Decode(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("status");
        return root.Object("spec", spec => new VirtualService
        {
            Meta = meta,
            Position = position,
            Hosts = spec.Strings("hosts"),
            Gateways = spec.Strings("gateways"),
            ExportTo = spec.Strings("exportTo"),
            Http = spec.Objects("http", HttpPartsDecoder.Route),
            Tls = spec.Objects("tls", r => L4(r, isTls: true)),
            Tcp = spec.Objects("tcp", r => L4(r, isTls: false)),
        }) ?? new VirtualService { Meta = meta, Position = position };
    }

    public static RouteDestination Destination(FieldReader d)
    {
        int? port = null;
        d.Object("port", p => port = p.Port("number"));
        return new RouteDestination(d.Required("host"), d.String("subset") is { Length: > 0 } s ? s : null, port, d.Line);
    }

    private static VirtualL4Route L4(FieldReader r, bool isTls) => new(
        isTls,
        r.Objects("match", m =>
        {
            m.Ignore("sourceSubnet");
            return new L4Match
            {
                SniHosts = isTls ? m.Strings("sniHosts") : [],
                DestinationSubnets = m.Strings("destinationSubnets"),
                Port = m.Port("port"),
                SourceLabels = m.StringMap("sourceLabels") ?? new Dictionary<string, string>(StringComparer.Ordinal),
                SourceNamespace = m.String("sourceNamespace"),
                Gateways = m.Strings("gateways"),
            };
        }),
        r.Objects("route", d => new WeightedDestination(d.Object("destination", Destination) ?? new RouteDestination("", null, null, d.Line), d.Int("weight", 0) ?? 0, null)));
}
