using Microsoft.IdentityModel.Tokens;

namespace Mesh.Waypoint.Authorization;

/// <summary>One RequestAuthentication, compiled.</summary>
internal sealed class JwtPolicy(V1.RequestPolicy policy)
{
    public string Name { get; } = policy.Name;

    public IReadOnlyList<JwtRule> Rules { get; } = [.. policy.Jwt.Rules.Select(r => new JwtRule(r))];
}

/// <summary>One issuer: where its tokens are and how they are checked.</summary>
internal sealed class JwtRule
{
    public JwtRule(V1.JwtRule rule)
    {
        Source = rule;
        HasOwnPlaces = rule.FromHeaders.Count + rule.FromParams.Count + rule.FromCookies.Count > 0;
        Audiences = new HashSet<string>(rule.Audiences.Select(WithoutDecoration), StringComparer.Ordinal);
        if (rule.Jwks.Length > 0)
        {
            try
            {
                Keys = new JsonWebKeySet(rule.Jwks) { SkipUnresolvedJsonWebKeys = false };
            }
            catch (ArgumentException e)
            {
                throw new ConfigurationException($"the JWKS of issuer {rule.Issuer} cannot be read: {e.Message}");
            }
        }
    }

    /// <summary>Rules with places of their own come before those that look at Authorization (recorded).</summary>
    public static JwtRule[] InOrder(IEnumerable<JwtPolicy> policies) => [.. policies.SelectMany(p => p.Rules).OrderBy(r => r.HasOwnPlaces ? 0 : 1)];

    public V1.JwtRule Source { get; }

    public string Issuer => Source.Issuer;

    public bool HasOwnPlaces { get; }

    public HashSet<string> Audiences { get; }

    public VerifiedTokens Verified { get; } = new();

    /// <summary>Null where the keys have to be fetched.</summary>
    public JsonWebKeySet? Keys { get; }

    /// <summary>Envoy compares audiences without their scheme and a slash at the end.</summary>
    public static string WithoutDecoration(string audience)
    {
        foreach (var scheme in (ReadOnlySpan<string>)["https://", "http://"])
        {
            if (audience.StartsWith(scheme, StringComparison.Ordinal))
            {
                audience = audience[scheme.Length..];
                break;
            }
        }

        return audience.TrimEnd('/');
    }
}
