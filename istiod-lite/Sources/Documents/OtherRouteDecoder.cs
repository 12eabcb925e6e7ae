using System.Text.RegularExpressions;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

/// <summary>gateway.networking.k8s.io GRPCRoute, TCPRoute and TLSRoute.</summary>
internal static class OtherRouteDecoder
{
    private const string AnyName = "[^/]+";

    public static Resource Grpc(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("status");
        return root.Object("spec", spec =>
        {
            // As for HTTPRoute: traffic of a mesh parent is known by its destination address.
            spec.Ignore("hostnames", "useDefaultGateways");
            return new HttpRouteResource
            {
                Meta = meta,
                Position = position,
                IsGrpc = true,
                Parents = spec.Objects("parentRefs", HttpRouteDecoder.Reference),
                Rules = spec.Objects("rules", Rule),
            };
        }) ?? new HttpRouteResource { Meta = meta, Position = position, IsGrpc = true };
    }

    public static Resource Tcp(ObjectMeta meta, DocumentPosition position, FieldReader root) => L4(meta, position, root, isTls: false);

    public static Resource Tls(ObjectMeta meta, DocumentPosition position, FieldReader root) => L4(meta, position, root, isTls: true);

    private static L4RouteResource L4(ObjectMeta meta, DocumentPosition position, FieldReader root, bool isTls)
    {
        root.Ignore("status");
        return root.Object("spec", spec =>
        {
            spec.Ignore("useDefaultGateways");
            return new L4RouteResource
            {
                Meta = meta,
                Position = position,
                IsTls = isTls,
                Parents = spec.Objects("parentRefs", HttpRouteDecoder.Reference),
                Hostnames = isTls ? spec.Strings("hostnames") : [],
                Rules = spec.Objects("rules", r =>
                {
                    r.Ignore("name");
                    return r.Objects("backendRefs", HttpRouteDecoder.Backend);
                }),
            };
        }) ?? new L4RouteResource { Meta = meta, Position = position, IsTls = isTls };
    }

    private static GatewayRouteRule Rule(FieldReader r)
    {
        r.Ignore("sessionPersistence");
        return new GatewayRouteRule
        {
            Name = r.String("name"),
            Matches = r.Objects("matches", Match),
            Filters = r.Objects("filters", HttpRouteDecoder.Filter),
            Backends = r.Objects("backendRefs", HttpRouteDecoder.Backend),
        };
    }

    /// <summary>A method is the path /service/method (gRPC over HTTP/2, "Requests").</summary>
    private static GatewayMatch Match(FieldReader m)
    {
        var (type, path) = (GatewayPathType.PathPrefix, "/");
        m.Object("method", n =>
        {
            var regex = n.Choice("type", false, ("Exact", false), ("RegularExpression", true));
            (type, path) = (n.String("service"), n.String("method"), regex) switch
            {
                (null, null, _) => (GatewayPathType.PathPrefix, "/"),
                ({ } service, { } method, false) => (GatewayPathType.Exact, $"/{service}/{method}"),
                ({ } service, null, false) => (GatewayPathType.PathPrefix, $"/{service}"),
                (null, { } method, false) => (GatewayPathType.RegularExpression, $"/{AnyName}/{Regex.Escape(method)}"),
                var (service, method, _) => (GatewayPathType.RegularExpression, $"/{service ?? AnyName}/{method ?? AnyName}"),
            };
        });
        return new GatewayMatch { PathType = type, Path = path, Headers = m.Objects("headers", HttpRouteDecoder.Value) };
    }
}
