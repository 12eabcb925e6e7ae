using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

internal static class EndpointSliceDecoder
{
    public static Resource Decode(ObjectMeta meta, DocumentPosition position, FieldReader root) => new EndpointSlice
    {
        Meta = meta,
        Position = position,
        AddressType = root.String("addressType") ?? "IPv4",
        Endpoints = root.Objects("endpoints", Endpoint),
        Ports = root.Objects("ports", p =>
        {
            p.Ignore("appProtocol");
            return new SlicePort(p.String("name"), p.Port("port"), p.String("protocol") ?? "TCP");
        }),
    };

    private static SliceEndpoint Endpoint(FieldReader e)
    {
        e.Ignore("hints", "hostname", "nodeName", "zone", "deprecatedTopology");
        var ready = true;
        e.Object("conditions", c =>
        {
            c.Ignore("serving", "terminating");
            ready = c.Bool("ready") ?? true;
        });
        string? kind = null, name = null, ns = null, uid = null;
        e.Object("targetRef", t =>
        {
            t.Ignore("apiVersion", "fieldPath", "resourceVersion");
            (kind, name, ns, uid) = (t.String("kind"), t.String("name"), t.String("namespace"), t.String("uid"));
        });
        return new SliceEndpoint(e.Strings("addresses"), ready, kind, name, ns, uid);
    }
}
