namespace Mesh.IstiodLite.Resources;

internal enum BalancerKind
{
    Unspecified,
    LeastRequest,
    RoundRobin,
    Random,
    Passthrough,
    ConsistentHash,
}

internal sealed record HashCookie(string Name, string? Path, TimeSpan? Ttl);

internal sealed record LoadBalancerRules
{
    public BalancerKind Kind { get; init; }
    public string? HashHeader { get; init; }
    public HashCookie? HashCookie { get; init; }
    public bool HashSourceIp { get; init; }
    public string? HashQueryParameter { get; init; }
    public ulong MinimumRingSize { get; init; }
    public ulong MaglevTableSize { get; init; }
    public TimeSpan? Warmup { get; init; }
    public LocalityRules? Locality { get; init; }
}

internal sealed record LocalityRules(bool? Enabled, IReadOnlyList<string> FailoverPriority, IReadOnlyList<(string From, string To)> Failover)
{
    public IReadOnlyList<DistributeRule> Distribute { get; init; } = [];
}

/// <summary>Localities are written "region/zone/subzone"; "*" in the place of a part stands for all that follows.</summary>
/// <param name="From">Where the client, here the waypoint, is.</param>
/// <param name="To">Percent of the traffic for each locality; others get none.</param>
internal sealed record DistributeRule(string From, IReadOnlyDictionary<string, uint> To);

internal sealed record RetryBudgetRules(double? Percent, uint? MinimumConcurrency);

/// <summary>A field that cannot be honoured and must not be left out: nothing is sent where it holds.</summary>
internal sealed record UnsupportedRule(string Field, int Line);

internal sealed record ConnectionPoolRules
{
    public uint? MaxConnections { get; init; }
    public TimeSpan? ConnectTimeout { get; init; }
    public TimeSpan? MaxConnectionDuration { get; init; }
    public TimeSpan? TcpIdleTimeout { get; init; }
    public uint? MaxPendingRequests { get; init; }
    public uint? MaxRequests { get; init; }
    public uint? MaxRequestsPerConnection { get; init; }
    public uint? MaxRetries { get; init; }
    public TimeSpan? HttpIdleTimeout { get; init; }
    public bool UseClientProtocol { get; init; }
    public bool H2Upgrade { get; init; }
}

internal sealed record OutlierRules
{
    public uint? Consecutive5xx { get; init; }
    public uint? ConsecutiveGatewayErrors { get; init; }
    public uint? ConsecutiveLocalOriginFailures { get; init; }
    public bool SplitExternalLocalOriginErrors { get; init; }
    public TimeSpan? Interval { get; init; }
    public TimeSpan? BaseEjectionTime { get; init; }
    public uint? MaxEjectionPercent { get; init; }
    public uint MinHealthPercent { get; init; }
    public int Line { get; init; }
}

internal enum ClientTlsMode
{
    Disable,
    Simple,
    Mutual,
    IstioMutual,
}

internal sealed record ClientTlsRules
{
    public ClientTlsMode Mode { get; init; }
    public string? Sni { get; init; }
    public IReadOnlyList<string> SubjectAltNames { get; init; } = [];
    public string? CaCertificates { get; init; }
    public bool InsecureSkipVerify { get; init; }
    public string? ClientCertificate { get; init; }
    public string? PrivateKey { get; init; }
    /// <summary>A Secret of the waypoint's cluster.</summary>
    public string? CredentialName { get; init; }
    public int Line { get; init; }
}

/// <summary>One trafficPolicy. A block that is null was not written; blocks inherit whole, never field by field.</summary>
internal sealed record TrafficPolicy
{
    public LoadBalancerRules? LoadBalancer { get; init; }
    public ConnectionPoolRules? ConnectionPool { get; init; }
    public OutlierRules? OutlierDetection { get; init; }
    public ClientTlsRules? Tls { get; init; }
    public RetryBudgetRules? RetryBudget { get; init; }
    public UnsupportedRule? Unsupported { get; init; }

    /// <summary>Null: everything that it says can be done.</summary>
    public UnsupportedRule? Refusal => Tls is { Mode: ClientTlsMode.Mutual, CredentialName.Length: > 0 } ? new UnsupportedRule("tls.credentialName", Tls.Line) : Unsupported;

    public IReadOnlyList<(int Port, TrafficPolicy Policy)> PortLevel { get; init; } = [];
}

internal sealed record Subset(string Name, IReadOnlyDictionary<string, string> Labels, TrafficPolicy? Policy, int Line);

internal sealed class DestinationRule : Resource
{
    public override string Kind => "DestinationRule";
    public string Host { get; init; } = string.Empty;
    public TrafficPolicy? TrafficPolicy { get; init; }
    public IReadOnlyList<Subset> Subsets { get; init; } = [];
    public IReadOnlyList<string> ExportTo { get; init; } = [];
    public IReadOnlyDictionary<string, string>? WorkloadSelector { get; init; }
}
