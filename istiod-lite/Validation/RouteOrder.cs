using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Validation;

/// <summary>Rules of VirtualService.http that no request can reach: warnings, as Istio gives them.</summary>
internal static class RouteOrder
{
    public static void Check(Field routes, DocumentFaults faults)
    {
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        int? always = null;
        var index = -1;
        foreach (var route in routes.Items)
        {
            index++;
            if (always is not null)
            {
                faults.Warn(route.Line, $"rule {index} can never match: rule {always} before it takes every request", "put the rule without match last");
                continue;
            }
            if (route["match"].Count == 0)
            {
                always = index;
                continue;
            }
            var fresh = 0;
            foreach (var match in route["match"].Items)
            {
                if (seen.TryAdd(match.Canonical(), index))
                    fresh++;
                else if (seen[match.Canonical()] is var earlier && earlier != index)
                    faults.Warn(match.Line, $"rule {index} has a match that rule {earlier} before it has already", "remove one of the two");
            }
            if (fresh == 0)
                faults.Warn(route.Line, $"rule {index} can never match: rules before it take everything it matches", "remove it, or put it first");
        }
    }
}
