namespace Mesh.Waypoint.Routing;

/// <summary>Changes parameters of a query and leaves the others as they were sent.</summary>
internal static class QueryEditor
{
    /// <param name="query">Without its question mark.</param>
    public static string Edit(string query, IReadOnlyList<(string Name, string Value)> set, IReadOnlyList<string> remove)
    {
        var parts = new List<string>();
        foreach (var part in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            var name = Uri.UnescapeDataString(equals < 0 ? part : part[..equals]);
            if (!remove.Contains(name, StringComparer.Ordinal) && !set.Any(s => s.Name == name))
                parts.Add(part);
        }

        parts.AddRange(set.Select(s => $"{Uri.EscapeDataString(s.Name)}={Uri.EscapeDataString(s.Value)}"));
        return string.Join('&', parts);
    }
}
