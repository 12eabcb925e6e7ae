using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;
using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>The routes that HTTPRoutes, GRPCRoutes, TCPRoutes and TLSRoutes with a Service parent give to one port of the service (reference: l7 4).</summary>
internal sealed class GatewayRoutes(RouteContext context)
{
    private sealed record Candidate(HttpRouteResource Source, GatewayRouteRule Rule, GatewayMatch Match, int RuleIndex, int MatchIndex);

    public List<HttpRoute> For(MeshService service, int port)
    {
        var candidates = new List<Candidate>();
        foreach (var source in context.Resources.HttpRoutes.Where(r => AttachesTo(r, service, port)))
        {
            for (var i = 0; i < source.Rules.Count; i++)
            {
                var rule = source.Rules[i];
                IReadOnlyList<GatewayMatch> matches = rule.Matches.Count > 0 ? rule.Matches : [new GatewayMatch()];
                for (var j = 0; j < matches.Count; j++)
                    candidates.Add(new Candidate(source, rule, matches[j], i, j));
            }
        }
        candidates.Sort(ByPrecedence);
        return [.. candidates.Select(c => Route(c, port))];
    }

    /// <summary>Of TCPRoutes and TLSRoutes, oldest first.</summary>
    public List<TcpRoute> Tcp(MeshService service, int port)
    {
        var routes = new List<TcpRoute>();
        foreach (var source in context.Resources.L4Routes.Where(r => AttachesTo(r, service, port)))
        {
            // There is no SNI to look at behind the tunnel: a TLSRoute counts if it is for exactly this host.
            if (source.Hostnames.Count > 0 && !source.Hostnames.Any(h => HostNames.Matches(h, service.Hostname)))
            {
                context.Report(source, source.Position.Line, $"is for other host names than {service.Hostname}, so it is not in force there: the name that a client asks for is not looked at", $"remove hostnames, or add {service.Hostname}");
                continue;
            }
            foreach (var backends in source.Rules.Where(r => r.Any(b => b.Weight > 0)).Take(1))
            {
                var route = new TcpRoute { Origin = source.Describe() };
                foreach (var backend in backends.Where(b => b.Weight > 0))
                {
                    var cluster = ClusterOf(source, backend.Reference);
                    route.Clusters.Add(new WeightedCluster { Cluster = cluster ?? string.Empty, InvalidBackend = cluster is null, Weight = (uint)backend.Weight });
                }
                routes.Add(route);
            }
        }
        return routes;
    }

    private bool AttachesTo(GatewayRoute route, MeshService service, int port) =>
        MayAttach(route, service, context.Waypoint) && route.Parents.Any(p => IsParent(p, route, service) && (p.Port is null || p.Port == port));

    /// <summary>True if the route is for some port of the service at this waypoint.</summary>
    public static bool MayAttach(GatewayRoute route, MeshService service, WaypointInfo waypoint) =>
        (route.Namespace == service.Namespace || route.Namespace == waypoint.Namespace) && route.Parents.Any(p => IsParent(p, route, service));

    private static bool IsParent(RouteReference parent, GatewayRoute route, MeshService service) =>
        parent.Kind == service.Source.Kind && parent.Name == service.Source.Name && (parent.Namespace ?? route.Namespace) == service.Namespace;

    /// <summary>Exact path, then the longest prefix, a method, more headers, more query parameters, age, name, place in the document.</summary>
    private static int ByPrecedence(Candidate a, Candidate b)
    {
        var order = PathRank(b.Match).CompareTo(PathRank(a.Match));
        order = order != 0 ? order : PathLength(b.Match).CompareTo(PathLength(a.Match));
        order = order != 0 ? order : (b.Match.Method is not null).CompareTo(a.Match.Method is not null);
        order = order != 0 ? order : b.Match.Headers.Count.CompareTo(a.Match.Headers.Count);
        order = order != 0 ? order : b.Match.QueryParams.Count.CompareTo(a.Match.QueryParams.Count);
        order = order != 0 ? order : Resource.CompareByAge(a.Source, b.Source);
        order = order != 0 ? order : a.RuleIndex.CompareTo(b.RuleIndex);
        return order != 0 ? order : a.MatchIndex.CompareTo(b.MatchIndex);
    }

    // Istio ranks a regular expression below every prefix.
    private static int PathRank(GatewayMatch match) => match.PathType switch
    {
        GatewayPathType.Exact => 2,
        GatewayPathType.PathPrefix => 1,
        _ => 0,
    };

    // A slash at the end of a prefix says nothing.
    private static int PathLength(GatewayMatch match) =>
        match.PathType is GatewayPathType.PathPrefix ? match.Path.AsSpan().TrimEnd('/').Length : match.Path.Length;

    private HttpRoute Route(Candidate candidate, int port)
    {
        var (source, rule) = (candidate.Source, candidate.Rule);
        var route = new HttpRoute { Name = rule.Name ?? string.Empty, Origin = source.Describe() };
        if (Match(candidate.Match) is { } match)
            route.Matches.Add(match);
        var unsupported = rule.Filters.FirstOrDefault(f => f.Type is "ExtensionRef" or "ExternalAuth");
        if (unsupported is not null)
        {
            context.Report(source, source.Position.Line, $"uses the filter {unsupported.Type}, which is not supported; the rule answers 500", "remove the filter");
            route.DirectResponse = new DirectResponse { Status = 500 };
            return route;
        }
        route.RequestHeaders = ProtoParts.Of(rule.Filters.FirstOrDefault(f => f.Type is "RequestHeaderModifier")?.Headers);
        route.ResponseHeaders = ProtoParts.Of(rule.Filters.FirstOrDefault(f => f.Type is "ResponseHeaderModifier")?.Headers);
        route.Cors = ProtoParts.Of(rule.Filters.FirstOrDefault(f => f.Type is "CORS")?.Cors);
        if (rule.Filters.FirstOrDefault(f => f.Type is "RequestRedirect") is { } redirect)
            route.Redirect = Redirect(redirect, port);
        else if (rule.Backends.Any(b => b.Weight > 0))
            route.Forward = Forward(source, rule);
        else
            route.DirectResponse = new DirectResponse { Status = 500 };
        return route;
    }

    private Forward Forward(HttpRouteResource source, GatewayRouteRule rule)
    {
        // A limit for one attempt needs retries to be more than a limit for the whole; without them it replaces it, as Istio does.
        var timeout = rule.Retry is null && rule.BackendTimeout is not null ? rule.BackendTimeout : rule.RequestTimeout;
        var forward = new Forward { Timeout = timeout > TimeSpan.Zero ? ProtoParts.Of(timeout) : null, Retry = Retry(rule) };
        if (rule.Filters.FirstOrDefault(f => f.Type is "URLRewrite") is { } rewrite)
        {
            forward.Rewrite = new Rewrite { Authority = rewrite.Hostname ?? string.Empty };
            if (rewrite.Path is { IsPrefix: true } prefix)
                forward.Rewrite.Prefix = prefix.Value;
            else if (rewrite.Path is { } full)
                forward.Rewrite.Full = full.Value;
        }
        foreach (var mirror in rule.Filters.Where(f => f is { Type: "RequestMirror", MirrorBackend: not null, MirrorPercent: > 0 }))
        {
            if (ClusterOf(source, mirror.MirrorBackend!) is { } cluster)
                forward.Mirrors.Add(new Mirror { Cluster = cluster, Percentage = mirror.MirrorPercent });
        }
        foreach (var backend in rule.Backends.Where(b => b.Weight > 0))
        {
            var cluster = ClusterOf(source, backend.Reference);
            forward.Clusters.Add(new WeightedCluster
            {
                Cluster = cluster ?? string.Empty,
                InvalidBackend = cluster is null,
                Weight = (uint)backend.Weight,
                RequestHeaders = ProtoParts.Of(backend.Filters.FirstOrDefault(f => f.Type is "RequestHeaderModifier")?.Headers),
                ResponseHeaders = ProtoParts.Of(backend.Filters.FirstOrDefault(f => f.Type is "ResponseHeaderModifier")?.Headers),
            });
        }
        return forward;
    }

    private RetryPolicy? Retry(GatewayRouteRule rule)
    {
        if (rule.Retry is not { } retry)
            return ProtoParts.Retry(null, context.Settings.DefaultRetry);
        var result = ProtoParts.Retry(new HttpRetry
        {
            Attempts = retry.Attempts ?? 2,
            Backoff = retry.Backoff,
            PerTryTimeout = rule.BackendTimeout,
            RetryOn = string.Join(',', retry.Codes.Select(c => c.ToString(System.Globalization.CultureInfo.InvariantCulture)).Prepend("connect-failure,refused-stream,unavailable,cancelled")),
        }, null);
        // The conformance suite expects that an attempt that ran out of its time is tried again; "reset" covers it (a per-try timeout is a local reset).
        if (result is not null && rule.BackendTimeout is not null)
            result.RetryOn.Add("reset");
        return result;
    }

    private string? ClusterOf(GatewayRoute source, RouteReference reference)
    {
        if (reference.Kind is not (null or "Service" or "ServiceEntry"))
        {
            context.Report(source, source.Position.Line, $"sends requests to a {reference.Kind}, which cannot be a backend; they are refused", "use a Service");
            return null;
        }
        if (context.FindReference(source, reference) is not { } service)
        {
            context.Report(source, source.Position.Line, $"sends requests to {reference.Kind ?? "Service"} {reference.Namespace ?? source.Namespace}/{reference.Name}, which does not exist; they are refused", "correct the name, or add it");
            return null;
        }
        var port = reference.Port ?? (service.Ports.Count == 1 ? service.Ports[0].Number : 0);
        if (service.Ports.Any(p => p.Number == port))
            return context.Clusters.Require(service, port, string.Empty);
        context.Report(source, source.Position.Line, $"sends requests to port {port} of {service.Hostname}, which has no such port; they are refused", "name one of its ports");
        return null;
    }

    private static RouteMatch? Match(GatewayMatch match)
    {
        var any = match is { PathType: GatewayPathType.PathPrefix, Path: "/" or "", Method: null, Headers.Count: 0, QueryParams.Count: 0 };
        if (any)
            return null;
        var result = new RouteMatch { Method = match.Method is null ? null : new StringMatch { Exact = match.Method } };
        switch (match.PathType)
        {
            case GatewayPathType.Exact:
                result.Path = new StringMatch { Exact = match.Path };
                break;
            case GatewayPathType.RegularExpression:
                result.Path = new StringMatch { Regex = match.Path };
                break;
            default:
                result.PathSeparatedPrefix = match.Path.Length > 1 ? match.Path.TrimEnd('/') : match.Path;
                break;
        }
        foreach (var header in match.Headers.DistinctBy(h => h.Name, StringComparer.OrdinalIgnoreCase))
            result.Headers.Add(Value(header));
        foreach (var parameter in match.QueryParams.DistinctBy(q => q.Name, StringComparer.Ordinal))
            result.QueryParameters.Add(Value(parameter));
        return result;
    }

    private static HeaderMatch Value(GatewayValueMatch match) =>
        new() { Name = match.Name, Value = match.Regex ? new StringMatch { Regex = match.Value } : new StringMatch { Exact = match.Value } };

    private static Redirect Redirect(GatewayFilter filter, int port)
    {
        var result = new Redirect
        {
            Scheme = filter.Scheme ?? string.Empty,
            Authority = filter.Hostname ?? string.Empty,
            Port = (uint)(filter.Port ?? (filter.Scheme switch { "http" => 80, "https" => 443, _ => port })),
            Status = (uint)(filter.StatusCode ?? 302),
        };
        if (filter.Path is { IsPrefix: true } prefix)
            result.Prefix = prefix.Value;
        else if (filter.Path is { } full)
            result.Full = full.Value;
        return result;
    }
}
