using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

/// <summary>One entry of VirtualService.http and everything inside it.</summary>
internal static class HttpPartsDecoder
{
    public static VirtualHttpRoute Route(FieldReader r)
    {
        var mirrorPercent = Percent(r, "mirrorPercentage") ?? r.Double("mirrorPercent", 0, 100) ?? r.Double("mirror_percent", 0, 100) ?? 100;
        var mirror = r.Object("mirror", VirtualServiceDecoder.Destination);
        var mirrors = r.Objects("mirrors", m => new HttpMirror(
            m.Object("destination", VirtualServiceDecoder.Destination) ?? new RouteDestination("", null, null, m.Line), Percent(m, "percentage") ?? 100));
        (string, string?)? delegated = null;
        r.Object("delegate", d => delegated = (d.String("name") ?? "", d.String("namespace")));
        (int, string?, byte[]?)? direct = null;
        r.Object("directResponse", d =>
        {
            string? text = null;
            byte[]? bytes = null;
            d.Object("body", b =>
            {
                text = b.String("string");
                var encoded = b.String("bytes");
                if (encoded is null)
                    return;
                var buffer = new byte[encoded.Length];
                if (Convert.TryFromBase64String(encoded, buffer, out var length))
                    bytes = buffer[..length];
                else
                    b.Faults.Add(b.LineOf("bytes"), $"{b.Path}.bytes is not base64", "encode the body as base64, or use string");
            });
            direct = (d.Int("status", 100, 599) ?? 200, text, bytes);
        });
        return new VirtualHttpRoute
        {
            Name = r.String("name"),
            Line = r.Line,
            Matches = r.Objects("match", Match),
            Route = r.Objects("route", d => new WeightedDestination(
                d.Object("destination", VirtualServiceDecoder.Destination) ?? Missing(d), d.Int("weight", 0) ?? 0, Headers(d))),
            Redirect = r.Object("redirect", Redirect),
            DirectResponse = direct,
            Delegate = delegated,
            Rewrite = r.Object("rewrite", Rewrite),
            Timeout = r.Duration("timeout"),
            Retries = r.Object("retries", Retry),
            Fault = r.Object("fault", Fault),
            Mirrors = mirror is null ? mirrors : [new HttpMirror(mirror, mirrorPercent), .. mirrors],
            Cors = r.Object("corsPolicy", Cors),
            Headers = Headers(r),
        };
    }

    private static RouteDestination Missing(FieldReader d)
    {
        d.Faults.Add(d.Line, $"{d.Path}.destination is missing", "add destination with a host");
        return new RouteDestination("", null, null, d.Line);
    }

    public static HttpMatch Match(FieldReader m)
    {
        m.Ignore("statPrefix");
        return new HttpMatch
        {
            Name = m.String("name"),
            Uri = m.Object("uri", Text),
            IgnoreUriCase = m.Bool("ignoreUriCase") ?? false,
            Scheme = m.Object("scheme", Text),
            Method = m.Object("method", Text),
            Authority = m.Object("authority", Text),
            Headers = TextMap(m, "headers"),
            WithoutHeaders = TextMap(m, "withoutHeaders"),
            QueryParams = TextMap(m, "queryParams"),
            Port = m.Port("port"),
            SourceLabels = m.StringMap("sourceLabels") ?? new Dictionary<string, string>(StringComparer.Ordinal),
            SourceNamespace = m.String("sourceNamespace"),
            Gateways = m.Strings("gateways"),
        };
    }

    private static Dictionary<string, TextMatch> TextMap(FieldReader m, string name)
    {
        var result = new Dictionary<string, TextMatch>(StringComparer.Ordinal);
        var read = m.Map(name, (node, field) => m.ReadObject(node, field, Text) ?? new TextMatch(TextMatchType.Present, ""));
        foreach (var (key, value) in read ?? new Dictionary<string, TextMatch>(StringComparer.Ordinal))
            result[key] = value;
        return result;
    }

    private static TextMatch Text(FieldReader t)
    {
        var (exact, prefix, regex) = (t.String("exact"), t.String("prefix"), t.String("regex"));
        if ((exact is null ? 0 : 1) + (prefix is null ? 0 : 1) + (regex is null ? 0 : 1) > 1)
            t.Faults.AddToSchema(t.Line, $"{t.Path} has more than one of exact, prefix and regex", "keep one");
        if (exact is not null)
            return new TextMatch(TextMatchType.Exact, exact);
        if (prefix is not null)
            return new TextMatch(TextMatchType.Prefix, prefix);
        return regex is null or "*" ? new TextMatch(TextMatchType.Present, "") : new TextMatch(TextMatchType.Regex, regex);
    }

    private static HttpRedirect Redirect(FieldReader r)
    {
        r.Ignore("derivePort");
        return new HttpRedirect
        {
            Uri = r.String("uri"),
            PrefixRewrite = r.String("prefixRewrite"),
            Authority = r.String("authority"),
            Scheme = r.String("scheme"),
            Port = r.Port("port"),
            Code = r.Int("redirectCode", 300, 399) ?? 301,
        };
    }

    private static HttpRewrite Rewrite(FieldReader r)
    {
        string? match = null, rewrite = null;
        r.Object("uriRegexRewrite", x => (match, rewrite) = (x.String("match"), x.String("rewrite")));
        return new HttpRewrite(r.String("uri"), r.String("authority"), match, rewrite);
    }

    public static HttpRetry Retry(FieldReader r) => new()
    {
        Attempts = r.Int("attempts", 0) ?? 2,
        PerTryTimeout = r.Duration("perTryTimeout"),
        RetryOn = r.String("retryOn"),
        RetryRemoteLocalities = r.Bool("retryRemoteLocalities"),
        RetryIgnorePreviousHosts = r.Bool("retryIgnorePreviousHosts"),
        Backoff = r.Duration("backoff"),
    };

    private static HttpFault Fault(FieldReader f)
    {
        var fault = new HttpFault();
        f.Object("delay", d =>
        {
            d.Ignore("exponentialDelay");
            var percent = Percent(d, "percentage") ?? d.Double("percent", 0, 100) ?? 0;
            fault = fault with { Delay = d.Duration("fixedDelay"), DelayPercentage = percent };
        });
        f.Object("abort", a =>
        {
            a.Ignore("http2Error");
            fault = fault with { AbortHttpStatus = a.Int("httpStatus", 200, 599), AbortGrpcStatus = a.String("grpcStatus"), AbortPercentage = Percent(a, "percentage") ?? 0 };
        });
        return fault;
    }

    private static double? Percent(FieldReader r, string name)
    {
        double? value = null;
        r.Object(name, p => value = p.Double("value", 0, 100) ?? 0);
        return value;
    }

    private static CorsPolicy Cors(FieldReader c)
    {
        var origins = c.Objects("allowOrigins", Text);
        var old = c.Strings("allowOrigin");
        return new CorsPolicy
        {
            AllowOrigins = [.. origins, .. old.Select(o => o == "*" ? new TextMatch(TextMatchType.Regex, ".*") : new TextMatch(TextMatchType.Exact, o))],
            AllowMethods = c.Strings("allowMethods"),
            AllowHeaders = c.Strings("allowHeaders"),
            ExposeHeaders = c.Strings("exposeHeaders"),
            MaxAge = c.Duration("maxAge"),
            AllowCredentials = c.Bool("allowCredentials"),
            IgnoreUnmatchedPreflights = c.Choice("unmatchedPreflights", false, ("UNSPECIFIED", false), ("FORWARD", false), ("IGNORE", true)),
        };
    }

    private static HeaderRules? Headers(FieldReader owner) =>
        owner.Object("headers", h => new HeaderRules(h.Object("request", Operations), h.Object("response", Operations)));

    private static HeaderOperations Operations(FieldReader o) => new()
    {
        Set = o.StringMap("set") ?? new Dictionary<string, string>(StringComparer.Ordinal),
        Add = o.StringMap("add") ?? new Dictionary<string, string>(StringComparer.Ordinal),
        Remove = o.Strings("remove"),
    };
}
