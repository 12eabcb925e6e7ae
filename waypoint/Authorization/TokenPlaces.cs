using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Authorization;

/// <summary>A token found in a request.</summary>
/// <param name="Remove">Takes it out of the request, for issuers that do not forward it; null where it stays (cookies).</param>
internal sealed record FoundToken(string Text, Action<IHeaderDictionary, TokenRemoval>? Remove);

/// <summary>What the JWT step changes beyond headers: the query may lose a parameter.</summary>
internal sealed class TokenRemoval
{
    public string? RemovedParameter { get; set; }
}

/// <summary>Where tokens are looked for (reference 3.7).</summary>
internal static class TokenPlaces
{
    private const string Bearer = "Bearer ";

    public static IEnumerable<FoundToken> Find(JwtRule rule, RequestFacts request)
    {
        if (!rule.HasOwnPlaces)
        {
            foreach (var token in FromAuthorization(request.Headers))
                yield return token;
            if (Parameter(request, "access_token") is { } parameter)
                yield return parameter;
            yield break;
        }

        foreach (var place in rule.Source.FromHeaders)
        {
            foreach (var value in request.Headers[place.Name])
            {
                if (value is not null && value.StartsWith(place.Prefix, StringComparison.Ordinal))
                    yield return new FoundToken(value[place.Prefix.Length..].Trim(), (headers, _) => headers.Remove(place.Name));
            }
        }

        foreach (var name in rule.Source.FromParams)
        {
            if (Parameter(request, name) is { } parameter)
                yield return parameter;
        }

        foreach (var name in rule.Source.FromCookies)
        {
            if (CookieReader.Find(request.Headers, name) is { } cookie)
                yield return new FoundToken(cookie, null);
        }
    }

    // The scheme's name is case-insensitive (RFC 9110 11.1), and an empty token is a bad one, not none: both deliberately stricter than Envoy.
    private static IEnumerable<FoundToken> FromAuthorization(IHeaderDictionary headers)
    {
        // Two headers are one with a comma, which is no token: a second one cannot be slipped past.
        var value = headers.Authorization.Count == 0 ? null : HeaderMatcher.Join(headers.Authorization);
        if (value is not null && (value + " ").StartsWith(Bearer, StringComparison.OrdinalIgnoreCase))
            yield return new FoundToken(value.Length <= Bearer.Length ? string.Empty : value[Bearer.Length..].Trim(), (h, _) => h.Remove("Authorization"));
    }

    private static FoundToken? Parameter(RequestFacts request, string name) =>
        QueryMatcher.TryFind(request.Query, name, out var value) ? new FoundToken(value.ToString(), (_, step) => step.RemovedParameter = name) : null;
}
