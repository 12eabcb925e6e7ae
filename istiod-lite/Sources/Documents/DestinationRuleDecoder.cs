using System.Globalization;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

internal static class DestinationRuleDecoder
{
    public static Resource Decode(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("status");
        return root.Object("spec", spec => new DestinationRule
        {
            Meta = meta,
            Position = position,
            Host = spec.Required("host"),
            TrafficPolicy = spec.Object("trafficPolicy", Policy),
            Subsets = spec.Objects("subsets", s => new Subset(
                s.Required("name"), s.StringMap("labels") ?? new Dictionary<string, string>(StringComparer.Ordinal), s.Object("trafficPolicy", Policy), s.Line)),
            ExportTo = spec.Strings("exportTo"),
            WorkloadSelector = EntryDecoder.Labels(spec, "workloadSelector", "matchLabels"),
        }) ?? new DestinationRule { Meta = meta, Position = position };
    }

    private static TrafficPolicy Policy(FieldReader p)
    {
        // Between ports and subsets these are inherited like the blocks, but they stand only here.
        return Blocks(p) with { RetryBudget = p.Object("retryBudget", b => new RetryBudgetRules(b.Double("percent", 0, 100), b.UInt("minRetryConcurrency"))), Unsupported = Unsupported(p), PortLevel = [.. p.Objects("portLevelSettings", PortLevel).Select(x => (x.Port, x.Policy))] };
    }

    /// <summary>What says where bytes go, or what comes first: to leave it out would be another connection than the one that was asked for.</summary>
    private static UnsupportedRule? Unsupported(FieldReader p)
    {
        UnsupportedRule? found = null;
        p.Object("tunnel", t =>
        {
            t.Ignore("protocol", "targetHost", "targetPort");
            found = new UnsupportedRule("tunnel", t.Line);
        });
        p.Object("proxyProtocol", y =>
        {
            y.Ignore("version");
            found = new UnsupportedRule("proxyProtocol", y.Line);
        });
        return found;
    }

    private sealed record PortPolicy(int Port, TrafficPolicy Policy);

    private static PortPolicy PortLevel(FieldReader p)
    {
        var port = 0;
        p.Object("port", x => port = x.Port("number") ?? 0);
        return new PortPolicy(port, Blocks(p));
    }

    private static TrafficPolicy Blocks(FieldReader p) => new()
    {
        LoadBalancer = p.Object("loadBalancer", LoadBalancer),
        ConnectionPool = p.Object("connectionPool", Pool),
        OutlierDetection = p.Object("outlierDetection", Outlier),
        Tls = p.Object("tls", Tls),
    };

    private static LoadBalancerRules LoadBalancer(FieldReader l)
    {
        var rules = new LoadBalancerRules
        {
            Kind = l.Choice("simple", BalancerKind.Unspecified, ("UNSPECIFIED", BalancerKind.Unspecified), ("LEAST_CONN", BalancerKind.LeastRequest),
                ("LEAST_REQUEST", BalancerKind.LeastRequest), ("ROUND_ROBIN", BalancerKind.RoundRobin), ("RANDOM", BalancerKind.Random), ("PASSTHROUGH", BalancerKind.Passthrough)),
            Warmup = l.Duration("warmupDurationSecs"),
            Locality = l.Object("localityLbSetting", Locality),
        };
        l.Object("warmup", w =>
        {
            w.Ignore("minimumPercent", "aggression");
            rules = rules with { Warmup = w.Duration("duration") };
        });
        l.Object("consistentHash", h =>
        {
            var size = (ulong)(h.Long("minimumRingSize", 0) ?? 0);
            ulong maglev = 0;
            h.Object("ringHash", r => size = (ulong)(r.Long("minimumRingSize", 0) ?? 0));
            h.Object("maglev", m => maglev = (ulong)(m.Long("tableSize", 1) ?? 65537));
            rules = rules with
            {
                Kind = BalancerKind.ConsistentHash,
                HashHeader = h.String("httpHeaderName"),
                HashCookie = h.Object("httpCookie", c =>
                {
                    c.Ignore("attributes");
                    return new HashCookie(c.Required("name"), c.String("path"), c.DurationOrZero("ttl"));
                }),
                HashSourceIp = h.Bool("useSourceIp") ?? false,
                HashQueryParameter = h.String("httpQueryParameterName"),
                MinimumRingSize = size,
                MaglevTableSize = maglev,
            };
        });
        return rules;
    }

    private sealed record FromTo(string From, string To);

    private static LocalityRules Locality(FieldReader l)
    {
        var distribute = l.Objects("distribute", d => new DistributeRule(d.String("from") ?? "", Weights(d)));
        var failover = l.Objects("failover", f => new FromTo(f.String("from") ?? "", f.String("to") ?? ""));
        return new LocalityRules(l.Bool("enabled"), l.Strings("failoverPriority"), [.. failover.Select(f => (f.From, f.To))]) { Distribute = distribute };
    }

    private static IReadOnlyDictionary<string, uint> Weights(FieldReader d) => d.Map("to", (node, field) =>
    {
        if (node is YamlScalar scalar && uint.TryParse(scalar.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var weight))
            return weight;
        d.Faults.Add(node.Line, $"{d.Path}.{field} must be a weight, it is {node.Shape}", "write a number from 1 to 100");
        return 0u;
    }) ?? new Dictionary<string, uint>(StringComparer.Ordinal);

    private static ConnectionPoolRules Pool(FieldReader p)
    {
        var rules = new ConnectionPoolRules();
        p.Object("tcp", t =>
        {
            t.Ignore("tcpKeepalive");
            rules = rules with
            {
                MaxConnections = t.UInt("maxConnections"),
                ConnectTimeout = t.Duration("connectTimeout"),
                MaxConnectionDuration = t.Duration("maxConnectionDuration"),
                TcpIdleTimeout = t.Duration("idleTimeout"),
            };
        });
        p.Object("http", h =>
        {
            h.Ignore("maxConcurrentStreams", "http2KeepAlive");
            rules = rules with
            {
                MaxPendingRequests = h.UInt("http1MaxPendingRequests"),
                MaxRequests = h.UInt("http2MaxRequests"),
                MaxRequestsPerConnection = h.UInt("maxRequestsPerConnection"),
                MaxRetries = h.UInt("maxRetries"),
                HttpIdleTimeout = h.Duration("idleTimeout"),
                UseClientProtocol = h.Bool("useClientProtocol") ?? false,
                H2Upgrade = h.Choice("h2UpgradePolicy", false, ("DEFAULT", false), ("DO_NOT_UPGRADE", false), ("UPGRADE", true)),
            };
        });
        return rules;
    }

    private static OutlierRules Outlier(FieldReader o)
    {
        var old = o.UInt("consecutiveErrors");
        o.Ignore("outlierDetectionHttpErrorCodes");
        return new OutlierRules
        {
            Consecutive5xx = o.UInt("consecutive5xxErrors") ?? old,
            ConsecutiveGatewayErrors = o.UInt("consecutiveGatewayErrors"),
            ConsecutiveLocalOriginFailures = o.UInt("consecutiveLocalOriginFailures"),
            SplitExternalLocalOriginErrors = o.Bool("splitExternalLocalOriginErrors") ?? false,
            Interval = o.Duration("interval"),
            BaseEjectionTime = o.Duration("baseEjectionTime"),
            MaxEjectionPercent = (uint?)o.Int("maxEjectionPercent", 0, 100),
            MinHealthPercent = (uint)(o.Int("minHealthPercent", -100, 100) is { } m and > 0 ? m : 0),
            Line = o.Line,
        };
    }

    private static ClientTlsRules Tls(FieldReader t)
    {
        t.Ignore("caCrl");
        return new ClientTlsRules
        {
            Mode = t.Choice("mode", ClientTlsMode.Disable, ("DISABLE", ClientTlsMode.Disable), ("SIMPLE", ClientTlsMode.Simple), ("MUTUAL", ClientTlsMode.Mutual), ("ISTIO_MUTUAL", ClientTlsMode.IstioMutual)),
            Sni = t.String("sni"),
            SubjectAltNames = t.Strings("subjectAltNames"),
            CaCertificates = t.String("caCertificates"),
            InsecureSkipVerify = t.Bool("insecureSkipVerify") ?? false,
            ClientCertificate = t.String("clientCertificate"),
            PrivateKey = t.String("privateKey"),
            CredentialName = t.String("credentialName"),
            Line = t.Line,
        };
    }
}
