using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>
/// Routes of a VirtualService with those put in their place that it delegates to another one: a request must match both. What the other does not
/// say holds as the first says it (Istio's merging of VirtualServices).
/// </summary>
internal static class DelegatedRoutes
{
    /// <summary>Each route with the document whose namespace its hosts are of. A delegate that is not there stays as it is.</summary>
    public static IEnumerable<(VirtualService Source, VirtualHttpRoute Route)> Expand(RouteContext context, VirtualService source)
    {
        foreach (var route in source.Http)
        {
            if (route.Delegate is not { } target || Find(context, source, target) is not { } delegated)
            {
                yield return (source, route);
                continue;
            }
            foreach (var leaf in delegated.Http)
            {
                if (Merge(route, leaf) is { } merged)
                    yield return (delegated, merged);
                else
                    context.Report(delegated, leaf.Line, $"has a route that can never match: {source.Describe()} delegates to it only what its own match lets through", "correct one of the two matches");
            }
        }
    }

    private static VirtualService? Find(RouteContext context, VirtualService source, (string Name, string? Namespace) target)
    {
        var ns = string.IsNullOrEmpty(target.Namespace) ? source.Namespace : target.Namespace;
        context.Clusters.Uses.Hosts.Add(Dependencies.SourceName("VirtualService", ns, target.Name));
        var found = context.Resources.Find<VirtualService>("VirtualService", ns, target.Name);
        return found is { Hosts.Count: 0 } && IsExported(found, source.Namespace) ? found : null;
    }

    private static bool IsExported(VirtualService routes, string to) =>
        routes.ExportTo.Count == 0 || routes.Namespace == to || routes.ExportTo.Contains("*", StringComparer.Ordinal) || routes.ExportTo.Contains(to, StringComparer.Ordinal);

    /// <summary>Null: no request can match both.</summary>
    private static VirtualHttpRoute? Merge(VirtualHttpRoute root, VirtualHttpRoute leaf)
    {
        IReadOnlyList<HttpMatch> matches = (root.Matches.Count, leaf.Matches.Count) switch
        {
            (0, _) => leaf.Matches,
            (_, 0) => root.Matches,
            _ => [.. root.Matches.SelectMany(r => leaf.Matches.Select(l => Merge(r, l))).OfType<HttpMatch>()],
        };
        if (matches.Count == 0 && root.Matches.Count > 0)
            return null;
        return leaf with
        {
            Matches = matches,
            Name = (root.Name, leaf.Name) is ({ Length: > 0 } a, { Length: > 0 } b) ? $"{a}-{b}" : leaf.Name ?? root.Name,
            Rewrite = leaf.Rewrite ?? root.Rewrite,
            Timeout = leaf.Timeout ?? root.Timeout,
            Retries = leaf.Retries ?? root.Retries,
            Fault = leaf.Fault ?? root.Fault,
            Mirrors = leaf.Mirrors.Count > 0 ? leaf.Mirrors : root.Mirrors,
            Cors = leaf.Cors ?? root.Cors,
            Headers = leaf.Headers ?? root.Headers,
        };
    }

    private static HttpMatch? Merge(HttpMatch root, HttpMatch leaf)
    {
        var conflict = Conflict(root.Uri, leaf.Uri) || Conflict(root.Scheme, leaf.Scheme) || Conflict(root.Method, leaf.Method) || Conflict(root.Authority, leaf.Authority)
            || Conflict(root.Headers, leaf.Headers) || Conflict(root.WithoutHeaders, leaf.WithoutHeaders) || Conflict(root.QueryParams, leaf.QueryParams)
            || root.IgnoreUriCase != leaf.IgnoreUriCase
            || (root.Port is not null && leaf.Port is not null && root.Port != leaf.Port)
            || (root.SourceNamespace is not null && leaf.SourceNamespace is not null && root.SourceNamespace != leaf.SourceNamespace);
        if (conflict)
            return null;
        return leaf with
        {
            Name = leaf.Name ?? root.Name,
            Uri = leaf.Uri ?? root.Uri,
            Scheme = leaf.Scheme ?? root.Scheme,
            Method = leaf.Method ?? root.Method,
            Authority = leaf.Authority ?? root.Authority,
            Headers = Union(root.Headers, leaf.Headers),
            WithoutHeaders = Union(root.WithoutHeaders, leaf.WithoutHeaders),
            QueryParams = Union(root.QueryParams, leaf.QueryParams),
            Port = leaf.Port ?? root.Port,
            SourceLabels = Union(root.SourceLabels, leaf.SourceLabels),
            SourceNamespace = leaf.SourceNamespace ?? root.SourceNamespace,
            Gateways = root.Gateways.Count > 0 ? root.Gateways : leaf.Gateways,
        };
    }

    /// <summary>True unless everything that matches the leaf matches the root, too, as far as one can tell by looking at them.</summary>
    private static bool Conflict(TextMatch? root, TextMatch? leaf)
    {
        if (root is null || leaf is null)
            return false;
        return (root.Type, leaf.Type) switch
        {
            (TextMatchType.Present, _) => false,
            (TextMatchType.Exact, TextMatchType.Exact) => root.Value != leaf.Value,
            (TextMatchType.Prefix, TextMatchType.Prefix or TextMatchType.Exact) => !leaf.Value.StartsWith(root.Value, StringComparison.Ordinal),
            _ => true,
        };
    }

    private static bool Conflict(IReadOnlyDictionary<string, TextMatch> root, IReadOnlyDictionary<string, TextMatch> leaf) =>
        leaf.Any(l => Conflict(root.GetValueOrDefault(l.Key), l.Value));

    private static Dictionary<string, T> Union<T>(IReadOnlyDictionary<string, T> root, IReadOnlyDictionary<string, T> leaf)
    {
        var result = new Dictionary<string, T>(root, StringComparer.Ordinal);
        foreach (var (key, value) in leaf)
            result[key] = value;
        return result;
    }
}
