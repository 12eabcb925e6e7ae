using System.Globalization;
using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Balancing;

/// <summary>Which part of a request decides its endpoint under consistent hash (reference 2.2).</summary>
internal sealed class HashPolicy(V1.ConsistentHash hash)
{
    public ulong MinimumRingSize => hash.MinimumRingSize;

    public ulong MaglevTableSize => hash.MaglevTableSize;

    public bool IsMaglev => hash.MaglevTableSize != 0;

    /// <param name="setCookie">Not null: the client gets this cookie with its answer.</param>
    /// <returns>Null where the request has no key: any endpoint will do.</returns>
    public ulong? Hash(RequestFacts request, Random random, out string? setCookie)
    {
        setCookie = null;
        switch (hash.KeyCase)
        {
            case V1.ConsistentHash.KeyOneofCase.Header:
                return request.Headers.TryGetValue(hash.Header, out var values) && values.Count > 0
                    ? XxHash64.Hash(HeaderMatcher.Join(values)!)
                    : null;
            case V1.ConsistentHash.KeyOneofCase.Cookie:
                return HashCookie(request, random, out setCookie);
            case V1.ConsistentHash.KeyOneofCase.SourceIp:
                return HashSource(request.Caller);
            case V1.ConsistentHash.KeyOneofCase.QueryParameter:
                return QueryMatcher.TryFind(request.Query, hash.QueryParameter, out var value) ? XxHash64.Hash(value.ToString()) : null;
            default:
                return null;
        }
    }

    /// <summary>The connection's own client address, never a header that the client writes.</summary>
    public static ulong? HashSource(Caller caller) => XxHash64.Hash(caller.Address.Address.ToString());

    private ulong? HashCookie(RequestFacts request, Random random, out string? setCookie)
    {
        setCookie = null;
        if (CookieReader.Find(request.Headers, hash.Cookie.Name) is { } there)
            return XxHash64.Hash(there);
        if (hash.Cookie.Ttl is null)
            return null;

        var value = random.NextInt64().ToString("x16", CultureInfo.InvariantCulture);
        var seconds = (long)hash.Cookie.Ttl.ToTimeSpan().TotalSeconds;
        setCookie = $"{hash.Cookie.Name}=\"{value}\""
            + (seconds > 0 ? string.Create(CultureInfo.InvariantCulture, $"; Max-Age={seconds}") : string.Empty)
            + (hash.Cookie.Path.Length > 0 ? $"; Path={hash.Cookie.Path}" : string.Empty)
            + "; HttpOnly";
        return XxHash64.Hash(value);
    }
}
