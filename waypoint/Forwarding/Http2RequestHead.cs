using System.Collections.Frozen;
using System.Text;
using Mesh.Http2;
using Mesh.Waypoint.Http1;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Mesh.Waypoint.Forwarding;

/// <summary>
/// Makes the field sections of a request. What HTTP/2 has no place for is left out (RFC 9113 8.2.2); what would be a second line to anybody ends the
/// request here, whatever rule, claim or client it came from.
/// </summary>
internal static class Http2RequestHead
{
    // The names that clients and proxies send most, as Kestrel spells them: made small once.
    private static readonly FrozenDictionary<string, string> Small = new[]
    {
        HeaderNames.Accept, HeaderNames.AcceptCharset, HeaderNames.AcceptEncoding, HeaderNames.AcceptLanguage, HeaderNames.AccessControlRequestHeaders,
        HeaderNames.AccessControlRequestMethod, HeaderNames.Allow, HeaderNames.Authorization, HeaderNames.Baggage, HeaderNames.CacheControl,
        HeaderNames.ContentDisposition, HeaderNames.ContentEncoding, HeaderNames.ContentLanguage, HeaderNames.ContentLength, HeaderNames.ContentLocation,
        HeaderNames.ContentMD5, HeaderNames.ContentRange, HeaderNames.ContentType, HeaderNames.Cookie, HeaderNames.CorrelationContext, HeaderNames.Date,
        HeaderNames.Expect, HeaderNames.Expires, HeaderNames.From, HeaderNames.GrpcAcceptEncoding, HeaderNames.GrpcEncoding,
        HeaderNames.GrpcTimeout, HeaderNames.IfMatch, HeaderNames.IfModifiedSince, HeaderNames.IfNoneMatch, HeaderNames.IfRange, HeaderNames.IfUnmodifiedSince,
        HeaderNames.LastModified, HeaderNames.MaxForwards, HeaderNames.Origin, HeaderNames.Pragma, HeaderNames.ProxyAuthorization, HeaderNames.Range,
        HeaderNames.Referer, HeaderNames.RequestId, HeaderNames.TE, HeaderNames.TraceParent, HeaderNames.TraceState, HeaderNames.Trailer,
        HeaderNames.Translate, HeaderNames.UpgradeInsecureRequests, HeaderNames.UserAgent, HeaderNames.Via, HeaderNames.Warning,
    }.Distinct(StringComparer.Ordinal).ToFrozenDictionary(n => n, n => n.ToLowerInvariant(), StringComparer.Ordinal);

    /// <exception cref="ClientFaultException">It cannot be sent on.</exception>
    public static HeaderList Begin(string method, string target, string authority, int capacity)
    {
        if (target.AsSpan().IndexOfAnyExceptInRange('!', '\u00ff') >= 0 || target.Contains('\u007f', StringComparison.Ordinal))
            throw new ClientFaultException("the request target has a blank or a control character after it was rewritten");
        FieldRules.CheckValue("host", authority);
        return new HeaderList(capacity) { { ":method", method }, { ":scheme", "http" }, { ":authority", authority }, { ":path", target } };
    }

    public static void Add(HeaderList head, string name, string value)
    {
        FieldRules.Check(name, value);
        var small = SmallName(name);
        head.Add(small, Octets(value.AsSpan().Trim(" \t").Length == value.Length ? value : value.Trim(' ', '\t')), IsSecret(small));
    }

    /// <summary>Request trailers; null: none. Neither what frames the message nor what only proxies say may come in by them.</summary>
    public static HeaderList? Trailers(IHeaderDictionary? trailers)
    {
        if (trailers is null || trailers.Count == 0)
            return null;
        var list = new HeaderList();
        foreach (var (name, values) in trailers)
        {
            if (name.Length == 0 || name[0] == ':' || HopByHop.Is(name) || HeaderHygiene.IsProxys(name) || IsFraming(name))
                continue;
            foreach (var value in values)
                Add(list, name, value ?? string.Empty);
        }

        return list.Count == 0 ? null : list;
    }

    // RFC 9110 6.5.1.
    private static bool IsFraming(string name) =>
        name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase) || name.Equals("Host", StringComparison.OrdinalIgnoreCase)
        || name.Equals("TE", StringComparison.OrdinalIgnoreCase) || name.Equals("Trailer", StringComparison.OrdinalIgnoreCase);

    // RFC 7541 7.1.3: what somebody could guess by how well it compresses is never put into a table.
    private static bool IsSecret(string name) => name is "authorization" or "proxy-authorization" or "cookie";

    private static string SmallName(string name)
    {
        if (name.AsSpan().IndexOfAnyInRange('A', 'Z') < 0)
            return name;
        return Small.TryGetValue(name, out var small) ? small : name.ToLowerInvariant();
    }

    // As on HTTP/1.1: a character is an octet, and what is none becomes a question mark.
    private static string Octets(string value) =>
        value.AsSpan().IndexOfAnyExceptInRange('\0', '\u00ff') < 0 ? value : Encoding.Latin1.GetString(Encoding.Latin1.GetBytes(value));
}
