using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;
using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>The routes that VirtualServices give to one port of a service behind a waypoint (reference: l7 1).</summary>
internal sealed class VirtualRoutes(RouteContext context)
{
    /// <summary>VirtualServices that are for the service, oldest first.</summary>
    public IEnumerable<VirtualService> For(MeshService service) => context.Resources.VirtualServices.Where(v => IsFor(v, service, context.Waypoint, context.Settings));

    /// <summary>True if it is of the service's or the waypoint's namespace, names the host and applies inside the mesh.</summary>
    public static bool IsFor(VirtualService routes, MeshService service, WaypointInfo waypoint, MeshSettings settings) =>
        routes.AppliesToMesh
        && (routes.Namespace == service.Namespace || routes.Namespace == waypoint.Namespace)
        && routes.Hosts.Any(h => HostNames.Matches(HostNames.Resolve(h, routes.Namespace, settings.ClusterDomain), service.Hostname));

    public List<HttpRoute> Http(IEnumerable<VirtualService> sources, int port)
    {
        var routes = new List<HttpRoute>();
        foreach (var source in sources)
        {
            foreach (var (owner, entry) in DelegatedRoutes.Expand(context, source))
            {
                if (Matches(entry.Matches, port) is not { } matches)
                    continue;
                routes.Add(Route(owner, entry, matches, port));
                // Nothing after a rule that always matches can be reached.
                if (matches.Count == 0 || matches.Exists(IsCatchAll))
                    return routes;
            }
        }
        return routes;
    }

    public List<TcpRoute> Tcp(IEnumerable<VirtualService> sources, MeshService service, int port)
    {
        var routes = new List<TcpRoute>();
        foreach (var source in sources)
        {
            // There is no SNI to look at behind the tunnel: a TLS route counts if it is for exactly this host.
            foreach (var entry in source.Tls.Where(t => t.Matches.Any(m => m.SniHosts.Count == 1 && m.SniHosts[0] == service.Hostname && Applies(m, port))).Concat(source.Tcp))
            {
                if (!entry.IsTls && entry.Matches.Count > 0 && !entry.Matches.Any(m => Applies(m, port)))
                    continue;
                var route = new TcpRoute { Origin = Origin(source) };
                foreach (var match in entry.Matches.Where(m => !entry.IsTls && m.DestinationSubnets.Count > 0))
                {
                    var converted = new TcpMatch();
                    foreach (var text in match.DestinationSubnets)
                    {
                        if (IpBytes.ParsePrefix(text) is { } prefix)
                            converted.DestinationSubnets.Add(new Cidr { Address = IpBytes.Of(prefix.Address), Length = (uint)prefix.Length });
                    }
                    route.Matches.Add(converted);
                }
                AddDestinations(route.Clusters, source, entry.Route, port);
                routes.Add(route);
            }
        }
        return routes;
    }

    private bool Applies(L4Match match, int port) =>
        (match.Port is null || match.Port == port) && match.SourceLabels.Count == 0
        && (match.SourceNamespace is null || match.SourceNamespace == context.Waypoint.Namespace)
        && (match.Gateways.Count == 0 || match.Gateways.Contains("mesh", StringComparer.Ordinal));

    /// <summary>The conditions that can hold at this port; empty: always; null: never.</summary>
    private List<RouteMatch>? Matches(IReadOnlyList<HttpMatch> written, int port)
    {
        if (written.Count == 0)
            return [];
        var usable = written.Where(m =>
            (m.Port is null || m.Port == port)
            // Istio drops such entries on waypoints: the caller's labels are not known there.
            && m.SourceLabels.Count == 0
            && (m.SourceNamespace is null || m.SourceNamespace == context.Waypoint.Namespace)
            && (m.Gateways.Count == 0 || m.Gateways.Contains("mesh", StringComparer.Ordinal))).Select(Match).ToList();
        return usable.Count == 0 ? null : usable;
    }

    public static RouteMatch Match(HttpMatch match)
    {
        var result = new RouteMatch
        {
            Path = ProtoParts.Of(match.Uri, match.IgnoreUriCase),
            Method = ProtoParts.Of(match.Method),
            Authority = ProtoParts.Of(match.Authority),
            Scheme = ProtoParts.Of(match.Scheme),
        };
        foreach (var (name, value) in match.Headers.Where(h => h.Key is not ("uri" or "scheme" or "method" or "authority")))
            result.Headers.Add(new HeaderMatch { Name = name, Value = ProtoParts.Of(value) });
        foreach (var (name, value) in match.WithoutHeaders)
            result.Headers.Add(new HeaderMatch { Name = name, Value = ProtoParts.Of(value), Invert = true });
        foreach (var (name, value) in match.QueryParams)
            result.QueryParameters.Add(new HeaderMatch { Name = name, Value = ProtoParts.Of(value) });
        return result;
    }

    private static bool IsCatchAll(RouteMatch match) =>
        match.Headers.Count == 0 && match.QueryParameters.Count == 0 && match.Method is null && match.Authority is null && match.Scheme is null
        && (match.Path is null || match.Path is { PatternCase: StringMatch.PatternOneofCase.Prefix, Prefix: "/" } or { PatternCase: StringMatch.PatternOneofCase.Regex, Regex: ".*" });

    private HttpRoute Route(VirtualService source, VirtualHttpRoute entry, List<RouteMatch> matches, int port)
    {
        var route = new HttpRoute
        {
            Name = entry.Name ?? string.Empty,
            Origin = Origin(source),
            RequestHeaders = ProtoParts.Of(entry.Headers?.Request),
            ResponseHeaders = ProtoParts.Of(entry.Headers?.Response),
            Fault = ProtoParts.Of(entry.Fault),
            Cors = ProtoParts.Of(entry.Cors),
        };
        route.Matches.AddRange(matches);
        if (entry.Delegate is { } target)
        {
            context.Report(source, entry.Line, $"delegates to VirtualService {target.Namespace ?? source.Namespace}/{target.Name}, which does not exist, has hosts of its own or is not exported here; the route answers 503", "correct the name, or remove hosts there");
            route.DirectResponse = new DirectResponse { Status = 503 };
        }
        else if (entry.Redirect is { } redirect)
        {
            route.Redirect = Redirect(redirect);
        }
        else if (entry.DirectResponse is { } direct)
        {
            route.DirectResponse = new DirectResponse { Status = (uint)direct.Status, Body = ProtoParts.Bytes(direct) };
        }
        else
        {
            route.Forward = Forward(source, entry, port);
        }
        return route;
    }

    private Forward Forward(VirtualService source, VirtualHttpRoute entry, int port)
    {
        var forward = new Forward
        {
            Timeout = entry.Timeout is { } timeout && timeout > TimeSpan.Zero ? ProtoParts.Of(timeout) : null,
            Retry = ProtoParts.Retry(entry.Retries, context.Settings.DefaultRetry),
        };
        if (entry.Rewrite is { } rewrite)
        {
            forward.Rewrite = new Rewrite { Authority = rewrite.Authority ?? string.Empty };
            if (rewrite.RegexMatch is not null)
                forward.Rewrite.Regex = new RegexRewrite { Match = rewrite.RegexMatch, Rewrite = rewrite.RegexRewrite ?? string.Empty };
            else if (rewrite.Uri is not null && entry.Matches.Any(m => m.Uri?.Type is TextMatchType.Prefix))
                forward.Rewrite.Prefix = rewrite.Uri;
            else if (rewrite.Uri is not null)
                forward.Rewrite.Full = rewrite.Uri;
        }
        foreach (var mirror in entry.Mirrors.Where(m => m.Percentage > 0))
            forward.Mirrors.Add(new Mirror { Cluster = context.ClusterOf(source, mirror.Destination, port), Percentage = mirror.Percentage });
        AddDestinations(forward.Clusters, source, entry.Route, port);
        return forward;
    }

    private void AddDestinations(Google.Protobuf.Collections.RepeatedField<WeightedCluster> into, VirtualService source, IReadOnlyList<WeightedDestination> destinations, int port)
    {
        foreach (var destination in destinations)
        {
            // One destination takes everything, whatever its weight says.
            var weight = destinations.Count == 1 ? 1 : destination.Weight;
            if (weight == 0)
                continue;
            into.Add(new WeightedCluster
            {
                Cluster = context.ClusterOf(source, destination.Destination, port),
                Weight = (uint)weight,
                RequestHeaders = ProtoParts.Of(destination.Headers?.Request),
                ResponseHeaders = ProtoParts.Of(destination.Headers?.Response),
            });
        }
    }

    private static Redirect Redirect(HttpRedirect redirect)
    {
        var result = new Redirect { Scheme = redirect.Scheme ?? string.Empty, Authority = redirect.Authority ?? string.Empty, Port = (uint)(redirect.Port ?? 0), Status = (uint)redirect.Code };
        if (redirect.Uri is not null)
            result.Full = redirect.Uri;
        else if (redirect.PrefixRewrite is not null)
            result.Prefix = redirect.PrefixRewrite;
        return result;
    }

    private static string Origin(VirtualService source) => source.Describe();
}
