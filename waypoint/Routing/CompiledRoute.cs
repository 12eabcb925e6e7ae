using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Resilience;

namespace Mesh.Waypoint.Routing;

/// <summary>One route, ready to match and to act on. Immutable.</summary>
internal sealed class CompiledRoute
{
    private readonly RouteMatcher[] _matches;

    public CompiledRoute(V1.HttpRoute route, ClusterRegistry clusters)
    {
        Name = route.Name;
        Origin = route.Origin;
        _matches = [.. route.Matches.Select(m => new RouteMatcher(m))];
        RequestHeaders = HeaderMutator.Compile(route.RequestHeaders);
        ResponseHeaders = HeaderMutator.Compile(route.ResponseHeaders);
        Fault = FaultRule.Compile(route.Fault);
        Cors = CorsRule.Compile(route.Cors);
        switch (route.ActionCase)
        {
            case V1.HttpRoute.ActionOneofCase.Forward:
                Forward = new ForwardAction(route.Forward, clusters);
                break;
            case V1.HttpRoute.ActionOneofCase.Redirect:
                Redirect = new RedirectAction(route.Redirect);
                break;
            case V1.HttpRoute.ActionOneofCase.DirectResponse:
                DirectResponse = new DirectResponseAction((int)route.DirectResponse.Status, route.DirectResponse.Body.ToByteArray());
                break;
            default:
                throw new ConfigurationException($"route \"{route.Name}\" ({route.Origin}) has no action");
        }
    }

    private CompiledRoute(string cluster, ClusterRegistry clusters)
    {
        Name = "default";
        Origin = string.Empty;
        _matches = [];
        Forward = ForwardAction.Default(cluster, clusters);
    }

    public string Name { get; }

    /// <summary>The document it comes from, for explanations.</summary>
    public string Origin { get; }

    public HeaderMutator? RequestHeaders { get; }

    public HeaderMutator? ResponseHeaders { get; }

    public FaultRule? Fault { get; }

    public CorsRule? Cors { get; }

    public ForwardAction? Forward { get; }

    public RedirectAction? Redirect { get; }

    public DirectResponseAction? DirectResponse { get; }

    /// <summary>Where no route is declared: everything to the service's own cluster, default retries, no timeout (reference 1.1).</summary>
    public static CompiledRoute ToCluster(string cluster, ClusterRegistry clusters) => new(cluster, clusters);

    public bool LooksAtClaims => Array.Exists(_matches, m => m.LooksAtClaims);

    /// <summary>One per entry: what its path must equal or begin with, empty for anything.</summary>
    public IEnumerable<(string Text, bool IsPrefix)> LiteralPaths => _matches.Length == 0 ? [(string.Empty, true)] : _matches.Select(m => m.LiteralPath);

    /// <returns>The entry that matched; null where none did.</returns>
    public RouteMatcher? Match(RequestFacts request)
    {
        if (_matches.Length == 0)
            return RouteMatcher.Always;
        foreach (var match in _matches)
        {
            if (match.Matches(request))
                return match;
        }

        return null;
    }
}

/// <summary>An answer made here.</summary>
internal sealed record DirectResponseAction(int Status, byte[] Body);

/// <summary>One destination of a route.</summary>
/// <param name="IsInvalid">A Gateway API backend that does not exist: its share answers 500, where a missing cluster otherwise answers 503.</param>
internal sealed record RouteTarget(ClusterState Cluster, bool IsInvalid, HeaderMutator? RequestHeaders, HeaderMutator? ResponseHeaders);

/// <summary>Passes the request on.</summary>
internal sealed class ForwardAction
{
    public ForwardAction(V1.Forward forward, ClusterRegistry clusters)
    {
        Targets = new WeightedPick<RouteTarget>([.. forward.Clusters.Select(c => (
            new RouteTarget(clusters.Reference(c.Cluster), c.InvalidBackend, HeaderMutator.Compile(c.RequestHeaders), HeaderMutator.Compile(c.ResponseHeaders)),
            c.Weight))]);
        Rewrite = RewriteRule.Compile(forward.Rewrite);
        Timeout = forward.Timeout?.ToTimeSpan() is { Ticks: > 0 } timeout ? timeout : null;
        Retry = RetryPolicy.Compile(forward.Retry);
        Mirrors = [.. forward.Mirrors.Select(m => new MirrorTarget(clusters.Reference(m.Cluster), m.Percentage))];
    }

    private ForwardAction(string cluster, ClusterRegistry clusters)
    {
        Targets = new WeightedPick<RouteTarget>([(new RouteTarget(clusters.Reference(cluster), IsInvalid: false, null, null), 1)]);
        Retry = RetryPolicy.Default;
        Mirrors = [];
    }

    public WeightedPick<RouteTarget> Targets { get; }

    public RewriteRule? Rewrite { get; }

    /// <summary>Of the whole request with all its tries, from the moment the request was received completely.</summary>
    public TimeSpan? Timeout { get; }

    public RetryPolicy Retry { get; }

    public IReadOnlyList<MirrorTarget> Mirrors { get; }

    public static ForwardAction Default(string cluster, ClusterRegistry clusters) => new(cluster, clusters);
}

/// <summary>A copy of the request goes here; its answer is thrown away.</summary>
internal sealed record MirrorTarget(ClusterState Cluster, double Percentage);
