using Google.Protobuf.WellKnownTypes;
using Mesh.IstiodLite.Resources;
using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>Blocks of a traffic policy to <c>mesh.waypoint.v1</c> (reference: l7 2.2 to 2.6).</summary>
internal static class PolicyParts
{
    public static LoadBalancer LoadBalancer(LoadBalancerRules? rules)
    {
        var result = new LoadBalancer
        {
            Policy = rules?.Kind switch
            {
                BalancerKind.RoundRobin => Mesh.Waypoint.V1.LoadBalancer.Types.Policy.RoundRobin,
                BalancerKind.Random => Mesh.Waypoint.V1.LoadBalancer.Types.Policy.Random,
                BalancerKind.Passthrough => Mesh.Waypoint.V1.LoadBalancer.Types.Policy.Passthrough,
                BalancerKind.ConsistentHash => Mesh.Waypoint.V1.LoadBalancer.Types.Policy.ConsistentHash,
                _ => Mesh.Waypoint.V1.LoadBalancer.Types.Policy.LeastRequest,
            },
            Warmup = ProtoParts.Of(rules?.Warmup),
        };
        if (rules?.Kind is BalancerKind.ConsistentHash)
            result.ConsistentHash = Hash(rules);
        return result;
    }

    public static ConnectionPool ConnectionPool(ConnectionPoolRules? rules, RetryBudgetRules? budget, TimeSpan meshConnectTimeout) => new()
    {
        MaxConnections = rules?.MaxConnections,
        ConnectTimeout = Duration.FromTimeSpan(rules?.ConnectTimeout ?? meshConnectTimeout),
        MaxPendingRequests = rules?.MaxPendingRequests,
        MaxRequests = rules?.MaxRequests,
        MaxRequestsPerConnection = rules?.MaxRequestsPerConnection,
        MaxRetries = rules?.MaxRetries,
        IdleTimeout = ProtoParts.Of(rules?.HttpIdleTimeout ?? rules?.TcpIdleTimeout),
        UseClientProtocol = rules?.UseClientProtocol ?? false,
        H2Upgrade = rules?.H2Upgrade ?? false,
        MaxConnectionDuration = ProtoParts.Of(rules?.MaxConnectionDuration),
        RetryBudget = budget is null ? null : new RetryBudget { Percent = budget.Percent, MinConcurrency = budget.MinimumConcurrency },
    };

    public static OutlierDetection? Outlier(OutlierRules? rules)
    {
        if (rules is null)
            return null;
        return new OutlierDetection
        {
            // Istio's defaults where nothing is written: 5 in a row of 5xx, 10 s, 30 s.
            Consecutive5Xx = rules.Consecutive5xx ?? 5,
            ConsecutiveGatewayErrors = rules.ConsecutiveGatewayErrors,
            ConsecutiveLocalOriginFailures = rules.ConsecutiveLocalOriginFailures,
            SplitExternalLocalOriginErrors = rules.SplitExternalLocalOriginErrors,
            Interval = Duration.FromTimeSpan(rules.Interval ?? TimeSpan.FromSeconds(10)),
            BaseEjectionTime = Duration.FromTimeSpan(rules.BaseEjectionTime ?? TimeSpan.FromSeconds(30)),
            MaxEjectionPercent = rules.MaxEjectionPercent ?? 10,
            MinHealthPercent = rules.MinHealthPercent,
            // Whoever wrote no percentage expects that a failing endpoint is taken out; the default of 10 % would take out none of nine.
            AlwaysEjectOne = rules.MaxEjectionPercent is null,
        };
    }

    public static ClientTls? Tls(ClientTlsRules? rules)
    {
        // Inside the mesh the tunnel already authenticates and encrypts: only a second layer is something to do.
        if (rules?.Mode is not (ClientTlsMode.Simple or ClientTlsMode.Mutual))
            return null;
        var result = new ClientTls
        {
            Mode = rules.Mode is ClientTlsMode.Simple ? ClientTls.Types.Mode.Simple : ClientTls.Types.Mode.Mutual,
            Sni = rules.Sni ?? string.Empty,
            CaCertificatesFile = rules.CaCertificates ?? string.Empty,
            CertificateChainFile = rules.ClientCertificate ?? string.Empty,
            PrivateKeyFile = rules.PrivateKey ?? string.Empty,
            InsecureSkipVerify = rules.InsecureSkipVerify,
        };
        result.SubjectAltNames.AddRange(rules.SubjectAltNames);
        return result;
    }

    private static ConsistentHash Hash(LoadBalancerRules rules)
    {
        var hash = new ConsistentHash { MinimumRingSize = rules.MinimumRingSize, MaglevTableSize = rules.MaglevTableSize };
        if (rules.HashHeader is not null)
            hash.Header = rules.HashHeader;
        else if (rules.HashCookie is { } cookie)
            hash.Cookie = new ConsistentHash.Types.Cookie { Name = cookie.Name, Path = cookie.Path ?? string.Empty, Ttl = ProtoParts.Of(cookie.Ttl) };
        else if (rules.HashQueryParameter is not null)
            hash.QueryParameter = rules.HashQueryParameter;
        else if (rules.HashSourceIp)
            hash.SourceIp = true;
        return hash;
    }
}
