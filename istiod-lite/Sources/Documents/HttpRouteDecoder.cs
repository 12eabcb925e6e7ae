using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

/// <summary>gateway.networking.k8s.io HTTPRoute.</summary>
internal static class HttpRouteDecoder
{
    public static Resource Decode(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("status");
        return root.Object("spec", spec =>
        {
            // Hostnames mean nothing for a mesh parent: traffic is known by its destination address.
            spec.Ignore("hostnames", "useDefaultGateways");
            return new HttpRouteResource
            {
                Meta = meta,
                Position = position,
                Parents = spec.Objects("parentRefs", Reference),
                Rules = spec.Objects("rules", Rule),
            };
        }) ?? new HttpRouteResource { Meta = meta, Position = position };
    }

    public static RouteReference Reference(FieldReader r) => new()
    {
        Group = r.String("group"),
        Kind = r.String("kind"),
        Name = r.Required("name"),
        Namespace = r.String("namespace"),
        Port = r.Port("port"),
        SectionName = r.String("sectionName"),
    };

    private static GatewayRouteRule Rule(FieldReader r)
    {
        r.Ignore("sessionPersistence");
        TimeSpan? request = null, backend = null;
        r.Object("timeouts", t => (request, backend) = (t.DurationOrZero("request"), t.DurationOrZero("backendRequest")));
        return new GatewayRouteRule
        {
            Name = r.String("name"),
            Matches = r.Objects("matches", Match),
            Filters = r.Objects("filters", Filter),
            Backends = r.Objects("backendRefs", Backend),
            RequestTimeout = request,
            BackendTimeout = backend,
            Retry = r.Object("retry", y => new GatewayRetry(y.Ints("codes", 400, 599), y.Int("attempts", 0), y.DurationOrZero("backoff"))),
        };
    }

    private static GatewayMatch Match(FieldReader m)
    {
        var type = GatewayPathType.PathPrefix;
        var path = "/";
        m.Object("path", p =>
        {
            type = p.Choice("type", type, ("PathPrefix", GatewayPathType.PathPrefix), ("Exact", GatewayPathType.Exact), ("RegularExpression", GatewayPathType.RegularExpression));
            path = p.String("value") ?? "/";
        });
        return new GatewayMatch
        {
            PathType = type,
            Path = path,
            Method = m.String("method"),
            Headers = m.Objects("headers", Value),
            QueryParams = m.Objects("queryParams", Value),
        };
    }

    public static GatewayValueMatch Value(FieldReader v) =>
        new(v.Required("name"), v.String("value") ?? "", v.Choice("type", false, ("Exact", false), ("RegularExpression", true)));

    public static GatewayBackend Backend(FieldReader b)
    {
        var weight = b.Int("weight", 0, 1_000_000) ?? 1;
        var filters = b.Objects("filters", Filter);
        return new GatewayBackend(Reference(b), weight, filters);
    }

    public static GatewayFilter Filter(FieldReader f)
    {
        f.Ignore("extensionRef", "externalAuth");
        var filter = new GatewayFilter { Type = f.Required("type") };
        var headers = f.Object("requestHeaderModifier", Headers) ?? f.Object("responseHeaderModifier", Headers);
        f.Ignore("responseHeaderModifier");
        filter = filter with { Headers = headers };
        f.Object("requestRedirect", r => filter = filter with
        {
            Scheme = r.String("scheme"),
            Hostname = r.String("hostname"),
            Port = r.Port("port"),
            StatusCode = r.Int("statusCode"),
            Path = r.Object("path", Path),
        });
        f.Object("urlRewrite", r => filter = filter with { Hostname = r.String("hostname"), Path = r.Object("path", Path) });
        f.Object("requestMirror", r =>
        {
            double percent = r.Int("percent", 0, 100) ?? 100;
            r.Object("fraction", x => percent = 100d * (x.Int("numerator", 0) ?? 0) / Math.Max(1, x.Int("denominator", 1) ?? 100));
            filter = filter with { MirrorBackend = r.Object("backendRef", Reference), MirrorPercent = percent };
        });
        filter = filter with { Cors = f.Object("cors", Cors) };
        return filter;
    }

    private static GatewayPathModifier Path(FieldReader p)
    {
        var prefix = p.Choice("type", false, ("ReplaceFullPath", false), ("ReplacePrefixMatch", true));
        var full = p.String("replaceFullPath");
        var value = p.String("replacePrefixMatch");
        return new GatewayPathModifier(prefix, (prefix ? value : full) ?? "");
    }

    private sealed record Pair(string Name, string Value);

    private static HeaderOperations Headers(FieldReader h)
    {
        var set = h.Objects("set", p => new Pair(p.Required("name"), p.String("value") ?? ""));
        var add = h.Objects("add", p => new Pair(p.Required("name"), p.String("value") ?? ""));
        return new HeaderOperations { Set = ToMap(set), Add = ToMap(add), Remove = h.Strings("remove") };
    }

    private static Dictionary<string, string> ToMap(IReadOnlyList<Pair> pairs)
    {
        var map = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var pair in pairs)
            map.TryAdd(pair.Name, pair.Value);
        return map;
    }

    private static CorsPolicy Cors(FieldReader c) => new()
    {
        AllowOrigins = [.. c.Strings("allowOrigins").Select(Origin)],
        AllowMethods = c.Strings("allowMethods"),
        AllowHeaders = c.Strings("allowHeaders"),
        ExposeHeaders = c.Strings("exposeHeaders"),
        AllowCredentials = c.Bool("allowCredentials"),
        MaxAge = c.Int("maxAge", 0) is { } seconds ? TimeSpan.FromSeconds(seconds) : TimeSpan.FromSeconds(5),
        IgnoreUnmatchedPreflights = true,
    };

    private static TextMatch Origin(string origin)
    {
        if (origin == "*")
            return new TextMatch(TextMatchType.Regex, ".*");
        var star = origin.IndexOf('*', StringComparison.Ordinal);
        return star < 0
            ? new TextMatch(TextMatchType.Exact, origin)
            : new TextMatch(TextMatchType.Regex, System.Text.RegularExpressions.Regex.Escape(origin).Replace("\\*", "[^/]+", StringComparison.Ordinal));
    }
}
