using System.Collections.Frozen;

namespace Mesh.Waypoint.Routing;

/// <summary>
/// Which of many routes a path can match at all, so that the first that does is found without asking each. Routes whose paths are literal are found by
/// their text - one look-up for each length of prefix that occurs - the others are asked as ever. Immutable; matching allocates nothing.
/// </summary>
internal sealed class RouteIndex
{
    private readonly CompiledRoute[] _routes;
    private readonly int[] _anyPath;
    private readonly FrozenDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _exact;

    // One per length, ascending.
    private readonly (int Length, FrozenDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> Routes)[] _prefixes;

    public RouteIndex(CompiledRoute[] routes)
    {
        _routes = routes;
        var any = new SortedSet<int>();
        var exact = new Dictionary<string, SortedSet<int>>(StringComparer.Ordinal);
        var prefixes = new Dictionary<string, SortedSet<int>>(StringComparer.Ordinal);
        for (var i = 0; i < routes.Length; i++)
        {
            foreach (var path in routes[i].LiteralPaths)
            {
                if (path.Text.Length == 0)
                    any.Add(i);
                else
                    Add(path.IsPrefix ? prefixes : exact, path.Text, i);
            }
        }

        _anyPath = [.. any];
        _exact = Freeze(exact);
        _prefixes = [.. prefixes.GroupBy(p => p.Key.Length).OrderBy(g => g.Key).Select(g => (g.Key, Freeze(g)))];
    }

    /// <summary>First match wins; none: null.</summary>
    public (CompiledRoute Route, RouteMatcher Match)? Match(RequestFacts request)
    {
        var best = (Index: int.MaxValue, Match: (RouteMatcher?)null);
        var path = request.Path.AsSpan();
        if (_exact.TryGetValue(path, out var candidates))
            Try(candidates, request, ref best);
        foreach (ref readonly var prefix in _prefixes.AsSpan())
        {
            if (prefix.Length > path.Length)
                break;
            if (prefix.Routes.TryGetValue(path[..prefix.Length], out candidates))
                Try(candidates, request, ref best);
        }

        Try(_anyPath, request, ref best);
        return best.Match is { } match ? (_routes[best.Index], match) : null;
    }

    private void Try(int[] candidates, RequestFacts request, ref (int Index, RouteMatcher? Match) best)
    {
        foreach (var index in candidates)
        {
            if (index >= best.Index)
                return;
            if (_routes[index].Match(request) is { } match)
                best = (index, match);
        }
    }

    private static void Add(Dictionary<string, SortedSet<int>> to, string text, int index)
    {
        if (!to.TryGetValue(text, out var routes))
            to[text] = routes = [];
        routes.Add(index);
    }

    private static FrozenDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> Freeze(IEnumerable<KeyValuePair<string, SortedSet<int>>> routes) =>
        routes.ToFrozenDictionary(r => r.Key, r => r.Value.ToArray(), StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();
}
