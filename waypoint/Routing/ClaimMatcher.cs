namespace Mesh.Waypoint.Routing;

/// <summary>
/// A route's condition on a claim of the request's valid token, written as a header of the name <c>@request.auth.claims.a.b</c> or
/// <c>@request.auth.claims[a][b]</c>. The token alone decides: a header that a client sends under
/// that name says nothing.
/// </summary>
internal sealed class ClaimMatcher
{
    private const string Prefix = "@request.auth.claims";
    private readonly string[] _path;
    private readonly StringMatcher _value;
    private readonly bool _invert;

    /// <exception cref="ConfigurationException">The name ends where the claim should begin.</exception>
    public ClaimMatcher(V1.HeaderMatch match)
    {
        var rest = match.Name[Prefix.Length..];
        _path = rest switch
        {
            ['.', .. var dotted] => dotted.Split('.'),
            ['[', .. var inner, ']'] => inner.Split("]["),
            _ => [string.Empty],
        };
        if (Array.Exists(_path, p => p.Length == 0))
            throw new ConfigurationException($"the header \"{match.Name}\" names no claim; write {Prefix}.name or {Prefix}[name][nested]");
        _value = StringMatcher.Compile(match.Value ?? new V1.StringMatch());
        _invert = match.Invert;
    }

    public static bool Is(V1.HeaderMatch match) => match.Name.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase);

    /// <summary>A list holds if any of its strings does. Without a token, or the claim, nothing holds but the negation.</summary>
    public bool Matches(TokenClaims? claims) => Holds(claims) != _invert;

    private bool Holds(TokenClaims? claims)
    {
        if (claims is null)
            return false;
        if (_value.IsPresence)
            return claims.Has(_path);
        foreach (var value in claims.Values(_path))
        {
            if (_value.Matches(value))
                return true;
        }

        return false;
    }
}
