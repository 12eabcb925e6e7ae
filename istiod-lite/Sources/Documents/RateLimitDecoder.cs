using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

internal static class RateLimitDecoder
{
    // Envoy's default for its filter.
    private static readonly TimeSpan ServiceTimeout = TimeSpan.FromMilliseconds(20);

    public static Resource RateLimitPolicy(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("status");
        return root.Object("spec", spec => Read(meta, position, spec)) ?? new RateLimitPolicy { Meta = meta, Position = position };
    }

    private static RateLimitPolicy Read(ObjectMeta meta, DocumentPosition position, FieldReader spec)
    {
        var policy = new RateLimitPolicy
        {
            Meta = meta,
            Position = position,
            Targets = SecurityDecoder.Targets(spec),
            Rules = spec.Objects("rules", Rule),
            Service = spec.Object("service", Service),
            Answer = spec.Object("response", Answer) ?? new LimitAnswer(),
        };
        if (policy.Targets.Count == 0)
            spec.Faults.Add(spec.Line, $"{spec.Path}.targetRefs is missing", "name a Service, a ServiceEntry or a waypoint Gateway; rate limits have no selector");
        if (policy.Service is null && policy.Rules.FirstOrDefault(r => r.Global) is { } global)
            spec.Faults.Add(spec.Line, $"rule \"{global.Name}\" is global, but {spec.Path}.service is missing", "name the rate limit service");
        return policy;
    }

    private static LimitRule Rule(FieldReader r)
    {
        var rule = new LimitRule
        {
            Name = r.String("name") ?? string.Empty,
            Matches = r.Objects("match", HttpPartsDecoder.Match),
            Entries = r.Objects("descriptor", Entry),
            Local = r.Object("local", Local),
            Global = r.Bool("global") ?? false,
        };
        if (rule.Local is null && !rule.Global)
            r.Faults.Add(r.Line, $"{r.Path} limits nothing", "add local with requests and interval, or global: true");
        if (rule is { Global: true, Entries.Count: 0 })
            r.Faults.Add(r.Line, $"{r.Path} is global and has no descriptor, so the service could not tell what to count", "add a descriptor, at least with a constant value");
        return rule;
    }

    private static LimitEntry Entry(FieldReader e)
    {
        var key = e.String("key");
        var fallback = e.String("default");
        var found = new List<LimitEntry>();

        void Named(string field, LimitEntrySource source, string? defaultKey)
        {
            if (e.String(field) is { Length: > 0 } argument)
                found.Add(new LimitEntry(key ?? defaultKey ?? argument, source, argument, fallback));
        }

        void Flag(string field, LimitEntrySource source, string defaultKey)
        {
            if (e.Bool(field) is true)
                found.Add(new LimitEntry(key ?? defaultKey, source, string.Empty, fallback));
        }

        // Keys where none is written are those of Envoy's actions.
        Named("value", LimitEntrySource.Constant, "generic_key");
        Named("requestHeader", LimitEntrySource.Header, null);
        Named("queryParameter", LimitEntrySource.QueryParameter, null);
        Flag("remoteAddress", LimitEntrySource.RemoteAddress, "remote_address");
        Flag("sourcePrincipal", LimitEntrySource.Principal, "source_principal");
        Flag("method", LimitEntrySource.Method, "method");
        Flag("path", LimitEntrySource.Path, "path");
        if (found.Count == 1)
            return found[0];
        e.Faults.Add(e.Line, $"{e.Path} names {(found.Count == 0 ? "nothing" : "several things")} to count apart", "write exactly one of value, requestHeader, queryParameter, remoteAddress, sourcePrincipal, method, path");
        return new LimitEntry(key ?? string.Empty, LimitEntrySource.Constant, string.Empty, fallback);
    }

    private static LocalLimit Local(FieldReader l)
    {
        var requests = (uint)(l.Long("requests", 1, 1_000_000_000) ?? 0);
        if (requests == 0)
            l.Faults.Add(l.LineOf("requests"), $"{l.Path}.requests is missing", "write how many requests may come in one interval");
        var interval = l.Duration("interval") ?? TimeSpan.FromSeconds(1);
        if (interval < TimeSpan.FromMilliseconds(1) || interval > TimeSpan.FromDays(1))
            l.Faults.Add(l.LineOf("interval"), $"{l.Path}.interval is {interval}", "write between 1ms and 24h");
        return new LocalLimit(requests, interval, (uint)(l.Long("burst", 1, 1_000_000_000) ?? requests), (uint)(l.Long("maxKeys", 1, 10_000_000) ?? 10_000));
    }

    private static LimitService Service(FieldReader s) =>
        new(s.Required("host"), s.Port("port") ?? 8081, s.Required("domain"), s.Duration("timeout") ?? ServiceTimeout, s.Bool("failOpen") ?? true, s.Line);

    private static LimitAnswer Answer(FieldReader a) => new()
    {
        Status = a.Int("status", 400, 599) ?? 429,
        Unavailable = a.Choice("grpcStatus", false, ("RESOURCE_EXHAUSTED", false), ("UNAVAILABLE", true)),
        LimitHeaders = a.Bool("limitHeaders") ?? false,
        Headers = a.StringMap("headers") ?? new Dictionary<string, string>(StringComparer.Ordinal),
    };
}
