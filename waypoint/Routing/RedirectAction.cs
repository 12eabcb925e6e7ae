using System.Globalization;

namespace Mesh.Waypoint.Routing;

/// <summary>Sends the client elsewhere (reference 1.5).</summary>
internal sealed class RedirectAction(V1.Redirect redirect)
{
    public int Status { get; } = redirect.Status == 0 ? 301 : (int)redirect.Status;

    public string Location(RequestFacts request, RouteMatcher match)
    {
        var scheme = redirect.Scheme.Length == 0 ? request.Scheme : redirect.Scheme;
        var authority = Authority(request, scheme);
        var path = redirect.PathCase switch
        {
            V1.Redirect.PathOneofCase.Full => redirect.Full,
            V1.Redirect.PathOneofCase.Prefix => RewriteRule.ReplacePrefix(request.Path, match, redirect.Prefix),
            _ => request.Path,
        };

        // A path that brings its own query keeps it; otherwise the client's query travels on.
        var query = request.HasQuery && !path.Contains('?', StringComparison.Ordinal) ? "?" + request.Query : string.Empty;
        return $"{scheme}://{authority}{path}{query}";
    }

    private string Authority(RequestFacts request, string scheme)
    {
        // The well-known port of the scheme says nothing: then the port that the client wrote stays (recorded).
        var port = (scheme, redirect.Port) is ("http", 80) or ("https", 443) ? 0 : redirect.Port;
        if (redirect.Authority.Length > 0)
            return port == 0 ? redirect.Authority : WithPort(redirect.Authority, port);
        if (port != 0)
            return WithPort(HostOnly(request.Authority), port);

        // A changed scheme drops the well-known port of the old one.
        var isDefault = request.Authority.EndsWith(":80", StringComparison.Ordinal) || request.Authority.EndsWith(":443", StringComparison.Ordinal);
        return redirect.Scheme.Length > 0 && isDefault ? HostOnly(request.Authority) : request.Authority;
    }

    private static string WithPort(string host, uint port) => string.Create(CultureInfo.InvariantCulture, $"{host}:{port}");

    private static string HostOnly(string authority)
    {
        var colon = authority.LastIndexOf(':');
        return colon > authority.LastIndexOf(']') ? authority[..colon] : authority;
    }
}
