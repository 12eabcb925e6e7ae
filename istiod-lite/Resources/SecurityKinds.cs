namespace Mesh.IstiodLite.Resources;

internal enum MutualTlsMode
{
    Unset,
    Disable,
    Permissive,
    Strict,
}

internal sealed class PeerAuthentication : Resource
{
    public override string Kind => "PeerAuthentication";
    /// <summary>Null: no selector was written. Empty: one without labels was, which counts as none (as Istio does).</summary>
    public IReadOnlyDictionary<string, string>? Selector { get; init; }
    public MutualTlsMode Mode { get; init; }
    public IReadOnlyList<(int Port, MutualTlsMode Mode)> PortModes { get; init; } = [];

    public bool HasSelector => Selector is { Count: > 0 };
}

internal enum PolicyAction
{
    Allow,
    Deny,
    Audit,
    Custom,
}

internal sealed record PolicyTarget(string Group, string Kind, string Name);

internal sealed record PolicySource
{
    public int Line { get; init; }
    public IReadOnlyList<string> Principals { get; init; } = [];
    public IReadOnlyList<string> NotPrincipals { get; init; } = [];
    public IReadOnlyList<string> RequestPrincipals { get; init; } = [];
    public IReadOnlyList<string> NotRequestPrincipals { get; init; } = [];
    public IReadOnlyList<string> Namespaces { get; init; } = [];
    public IReadOnlyList<string> NotNamespaces { get; init; } = [];
    public IReadOnlyList<string> ServiceAccounts { get; init; } = [];
    public IReadOnlyList<string> NotServiceAccounts { get; init; } = [];
    public IReadOnlyList<string> TrustDomains { get; init; } = [];
    public IReadOnlyList<string> NotTrustDomains { get; init; } = [];
    public IReadOnlyList<string> IpBlocks { get; init; } = [];
    public IReadOnlyList<string> NotIpBlocks { get; init; } = [];
    public IReadOnlyList<string> RemoteIpBlocks { get; init; } = [];
    public IReadOnlyList<string> NotRemoteIpBlocks { get; init; } = [];
}

internal sealed record PolicyOperation
{
    public int Line { get; init; }
    public IReadOnlyList<string> Hosts { get; init; } = [];
    public IReadOnlyList<string> NotHosts { get; init; } = [];
    public IReadOnlyList<string> Ports { get; init; } = [];
    public IReadOnlyList<string> NotPorts { get; init; } = [];
    public IReadOnlyList<string> Methods { get; init; } = [];
    public IReadOnlyList<string> NotMethods { get; init; } = [];
    public IReadOnlyList<string> Paths { get; init; } = [];
    public IReadOnlyList<string> NotPaths { get; init; } = [];
}

internal sealed record PolicyCondition(string Key, IReadOnlyList<string> Values, IReadOnlyList<string> NotValues)
{
    public int Line { get; init; }
}

internal sealed record PolicyRule(IReadOnlyList<PolicySource> From, IReadOnlyList<PolicyOperation> To, IReadOnlyList<PolicyCondition> When);

/// <summary>What AuthorizationPolicy, RequestAuthentication and RateLimitPolicy share: how they find what they apply to.</summary>
internal abstract class TargetedPolicy : Resource
{
    public IReadOnlyDictionary<string, string>? Selector { get; init; }
    public IReadOnlyList<PolicyTarget> Targets { get; init; } = [];
}

internal sealed class AuthorizationPolicy : TargetedPolicy
{
    public override string Kind => "AuthorizationPolicy";
    public PolicyAction Action { get; init; }
    public IReadOnlyList<PolicyRule> Rules { get; init; } = [];
    public string? Provider { get; init; }
}

internal sealed record JwtHeader(string Name, string Prefix);

internal sealed record JwtClaimHeader(string Header, string Claim);

internal sealed record JwtRule
{
    public string Issuer { get; init; } = string.Empty;
    public IReadOnlyList<string> Audiences { get; init; } = [];
    public string? JwksUri { get; init; }
    public string? Jwks { get; init; }
    public IReadOnlyList<JwtHeader> FromHeaders { get; init; } = [];
    public IReadOnlyList<string> FromParams { get; init; } = [];
    public IReadOnlyList<string> FromCookies { get; init; } = [];
    public string? OutputPayloadToHeader { get; init; }
    public bool ForwardOriginalToken { get; init; }
    public IReadOnlyList<JwtClaimHeader> OutputClaimToHeaders { get; init; } = [];
    public TimeSpan? Timeout { get; init; }
    public IReadOnlyList<string> SpaceDelimitedClaims { get; init; } = [];
}

internal sealed class RequestAuthentication : TargetedPolicy
{
    public override string Kind => "RequestAuthentication";
    public IReadOnlyList<JwtRule> Rules { get; init; } = [];
}
