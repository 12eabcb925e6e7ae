using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Routing;

/// <summary>CORS headers for browsers; not an access control (reference 1.11).</summary>
internal sealed class CorsRule
{
    private readonly StringMatcher[] _origins;
    private readonly string _methods;
    private readonly string _headers;
    private readonly string _expose;
    private readonly string? _maxAge;
    private readonly bool? _credentials;

    private CorsRule(V1.CorsPolicy cors)
    {
        _origins = [.. cors.AllowOrigins.Select(StringMatcher.Compile)];
        _methods = string.Join(',', cors.AllowMethods);
        _headers = string.Join(',', cors.AllowHeaders);
        _expose = string.Join(',', cors.ExposeHeaders);
        _maxAge = cors.MaxAge is null ? null : ((long)cors.MaxAge.ToTimeSpan().TotalSeconds).ToString(CultureInfo.InvariantCulture);
        _credentials = cors.AllowCredentials;
        ForwardUnmatchedPreflights = cors.ForwardUnmatchedPreflights;
    }

    public bool ForwardUnmatchedPreflights { get; }

    public static CorsRule? Compile(V1.CorsPolicy? cors) => cors is null ? null : new CorsRule(cors);

    public static bool IsPreflight(RequestFacts request) =>
        request.Method == HttpMethods.Options && request.Headers.Origin.Count > 0 && request.Headers.AccessControlRequestMethod.Count > 0;

    public bool AllowsOrigin(string? origin)
    {
        if (string.IsNullOrEmpty(origin))
            return false;
        foreach (var allowed in _origins)
        {
            if (allowed.Matches(origin))
                return true;
        }

        return false;
    }

    public void WritePreflight(RequestFacts request, IHeaderDictionary response)
    {
        if (AllowsOrigin(request.Headers.Origin))
        {
            response.AccessControlAllowOrigin = request.Headers.Origin;
        }

        if (_credentials == true)
            response.AccessControlAllowCredentials = "true";
        if (_methods.Length > 0)
            response.AccessControlAllowMethods = _methods == "*" ? request.Headers.AccessControlRequestMethod : _methods;
        if (_headers.Length > 0)
            response.AccessControlAllowHeaders = _headers == "*" ? request.Headers.AccessControlRequestHeaders : _headers;
        if (_expose.Length > 0 && AllowsOrigin(request.Headers.Origin))
            response.AccessControlExposeHeaders = _expose;
        if (_maxAge is not null)
            response.AccessControlMaxAge = _maxAge;
    }

    public void WriteActual(RequestFacts request, IHeaderDictionary response)
    {
        if (!AllowsOrigin(request.Headers.Origin))
            return;
        response.AccessControlAllowOrigin = request.Headers.Origin;
        if (_credentials == true)
            response.AccessControlAllowCredentials = "true";
        if (_expose.Length > 0)
            response.AccessControlExposeHeaders = _expose;
    }
}
