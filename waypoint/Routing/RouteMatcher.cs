namespace Mesh.Waypoint.Routing;

/// <summary>One entry of a route's match list: all its conditions must hold.</summary>
internal sealed class RouteMatcher
{
    public static readonly RouteMatcher Always = new(new V1.RouteMatch());

    private readonly StringMatcher? _path;
    private readonly string? _segments;
    private readonly StringMatcher? _method;
    private readonly StringMatcher? _authority;
    private readonly StringMatcher? _scheme;
    private readonly HeaderMatcher[] _headers;
    private readonly ClaimMatcher[] _claims;
    private readonly QueryMatcher[] _query;
    private readonly string[] _namespaces;
    private readonly bool _neverMatches;

    public RouteMatcher(V1.RouteMatch match)
    {
        _path = match.Path is null ? null : StringMatcher.Compile(match.Path);
        _segments = match.PathSeparatedPrefix.Length == 0 ? null : match.PathSeparatedPrefix.TrimEnd('/');
        _method = match.Method is null ? null : StringMatcher.Compile(match.Method);
        _authority = match.Authority is null ? null : StringMatcher.Compile(match.Authority);
        _scheme = match.Scheme is null ? null : StringMatcher.Compile(match.Scheme);
        _headers = [.. match.Headers.Where(h => !ClaimMatcher.Is(h)).Select(h => new HeaderMatcher(h))];
        _claims = [.. match.Headers.Where(ClaimMatcher.Is).Select(h => new ClaimMatcher(h))];
        _query = [.. match.QueryParameters.Select(q => new QueryMatcher(q))];
        _namespaces = [.. match.SourceNamespaces];

        // A waypoint does not know its callers' labels: such an entry never matches (reference 1.3).
        _neverMatches = match.SourceLabels.Count > 0;
    }

    /// <summary>The entry can be judged only when the request's token was.</summary>
    public bool LooksAtClaims => _claims.Length > 0;

    public bool Matches(RequestFacts request)
    {
        if (_neverMatches)
            return false;
        if (_path is not null && !_path.Matches(request.Path))
            return false;
        if (_segments is not null && !MatchesSegments(request.Path))
            return false;
        if (_method is not null && !_method.Matches(request.Method))
            return false;
        if (_authority is not null && !_authority.Matches(request.Authority))
            return false;
        if (_scheme is not null && !_scheme.Matches(request.Scheme))
            return false;
        foreach (var header in _headers)
        {
            if (!header.Matches(request.Headers))
                return false;
        }

        foreach (var claim in _claims)
        {
            if (!claim.Matches(request.Claims))
                return false;
        }

        foreach (var parameter in _query)
        {
            if (!parameter.Matches(request.Query))
                return false;
        }

        return _namespaces.Length == 0 || Array.IndexOf(_namespaces, request.Caller.Namespace) >= 0;
    }

    /// <summary>What a prefix rewrite or redirect replaces: the matched prefix, or the whole path where the match was not by prefix.</summary>
    public int MatchedPrefixLength(string path)
    {
        if (_segments is not null)
            return _segments.Length;
        return _path is null ? 0 : _path.ConsumedPrefix(path);
    }

    /// <summary>What the path must equal or begin with where this matches; empty: anything.</summary>
    public (string Text, bool IsPrefix) LiteralPath => _segments is not null ? (_segments, true)
        : _path?.Literal is { } text ? (text, _path.IsPrefix)
        : (string.Empty, true);

    public bool IsSegmentPrefix => _segments is not null;

    public bool IsPathPrefix => _segments is not null || _path is null || _path.IsPrefix;

    private bool MatchesSegments(string path) =>
        path.StartsWith(_segments!, StringComparison.Ordinal) && (path.Length == _segments!.Length || path[_segments.Length] == '/');
}
