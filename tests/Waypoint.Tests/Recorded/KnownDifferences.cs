namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>One line of the list: what differs and why; "sometimes" where chance decides.</summary>
internal sealed record KnownDifference(bool Sometimes, string Reason);

/// <summary>Reads KnownDifferences.txt: <c>scenario/case: reason</c>, a question mark in front where the case agrees sometimes.</summary>
internal static class KnownDifferences
{
    public static IReadOnlyDictionary<string, KnownDifference> For(string scenario)
    {
        var result = new Dictionary<string, KnownDifference>(StringComparer.Ordinal);
        foreach (var line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Fixtures", "l7", "KnownDifferences.txt")))
        {
            var colon = line.IndexOf(": ", StringComparison.Ordinal);
            var slash = line.IndexOf('/', StringComparison.Ordinal);
            if (line.StartsWith('#') || colon < 0 || slash < 0)
                continue;
            var sometimes = line.StartsWith('?');
            if (line[(sometimes ? 1 : 0)..slash] == scenario)
                result.Add(line[(slash + 1)..colon], new KnownDifference(sometimes, line[(colon + 2)..]));
        }

        return result;
    }
}
