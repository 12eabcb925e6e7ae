using System.Collections.Frozen;
using Mesh.Waypoint.Http1;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Forwarding;

/// <summary>Headers that belong to one connection and never cross a proxy (RFC 9110 7.6.1; reference 7.1).</summary>
internal static class HopByHop
{
    private static readonly FrozenSet<string> Names = new[]
    {
        "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "HTTP2-Settings",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    public static bool Is(string name) => Names.Contains(name);

    /// <summary>Has a field that speaks about the connection, which HTTP/2 does not allow (RFC 9113 8.2.2).</summary>
    public static bool NamesConnection(IHeaderDictionary headers) =>
        headers.Connection.Count > 0 || headers.Upgrade.Count > 0 || headers.TransferEncoding.Count > 0 || headers.KeepAlive.Count > 0
        || headers.ContainsKey("Proxy-Connection");

    /// <summary>
    /// A Connection that would make the proxy drop what it or the application relies on, or that is a list of everything (reference 7.1).
    /// </summary>
    public static bool NamesTooMuch(IHeaderDictionary headers)
    {
        const int MostNames = 10;
        var count = 0;
        foreach (var value in headers.Connection)
        {
            foreach (var range in value.AsSpan().Split(','))
            {
                var name = value.AsSpan(range).Trim();
                if (name.IsEmpty)
                    continue;
                if (++count > MostNames || name[0] == ':' || name.StartsWith("x-forwarded-", StringComparison.OrdinalIgnoreCase))
                    return true;
            }
        }

        return false;
    }

    /// <summary>A request whose Connection names Host would have none afterwards.</summary>
    public static bool NamesHost(IHeaderDictionary headers)
    {
        foreach (var value in headers.Connection)
        {
            foreach (var range in value.AsSpan().Split(','))
            {
                if (value.AsSpan(range).Trim().Equals("host", StringComparison.OrdinalIgnoreCase))
                    return true;
            }
        }

        return false;
    }

    /// <summary>Removes them, and every header that Connection names, from a request.</summary>
    public static void StripRequest(IHeaderDictionary headers)
    {
        var te = headers.TE.ToString();
        foreach (var value in headers.Connection)
        {
            foreach (var range in value.AsSpan().Split(','))
            {
                var name = value.AsSpan(range).Trim();
                if (name.Length > 0)
                    headers.Remove(name.ToString());
            }
        }

        foreach (var name in Names)
            headers.Remove(name);

        // gRPC needs it end to end; nothing else of TE is.
        if (te.Contains("trailers", StringComparison.OrdinalIgnoreCase))
            headers.TE = "trailers";
        else
            headers.Remove("TE");
    }

    /// <summary>The names that a response's Connection header nominates.</summary>
    public static IReadOnlyCollection<string> Nominated(FieldList fields)
    {
        List<string>? names = null;
        foreach (var field in fields.Items)
        {
            if (field.Name.Equals("connection", StringComparison.OrdinalIgnoreCase))
                (names ??= []).AddRange(field.Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
        }

        return names is null ? [] : names;
    }
}
