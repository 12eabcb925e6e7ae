namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>How a listed case is treated.</summary>
internal enum Listing
{
    /// <summary>It differs; where it does not, the line is out of date.</summary>
    Differs,

    /// <summary>Chance decides whether it differs.</summary>
    Sometimes,

    /// <summary>It is not played.</summary>
    Skipped,
}

/// <summary>One line of the list: what differs and why.</summary>
internal sealed record KnownDifference(Listing Listing, string Reason);

/// <summary>Reads KnownDifferences.txt: <c>scenario/case: reason</c>; <c>?</c> in front: chance decides, <c>-</c>: not played.</summary>
internal static class KnownDifferences
{
    private static string File => Path.Combine(AppContext.BaseDirectory, "Fixtures", "l7", "KnownDifferences.txt");

    public static IReadOnlyDictionary<string, KnownDifference> For(string scenario) =>
        All().Where(d => d.Scenario == scenario).ToDictionary(d => d.Case, d => d.Difference, StringComparer.Ordinal);

    public static IEnumerable<(string Scenario, string Case, KnownDifference Difference)> All()
    {
        foreach (var line in System.IO.File.ReadLines(File).Where(l => l.Length > 0 && !l.StartsWith('#')))
        {
            var listing = line[0] switch { '?' => Listing.Sometimes, '-' => Listing.Skipped, _ => Listing.Differs };
            var text = listing == Listing.Differs ? line : line[1..];
            var (slash, colon) = (text.IndexOf('/', StringComparison.Ordinal), text.IndexOf(": ", StringComparison.Ordinal));
            if (slash < 0 || colon < slash)
                throw new InvalidDataException($"KnownDifferences.txt: \"{line}\" is not \"scenario/case: reason\"");
            yield return (text[..slash], text[(slash + 1)..colon], new KnownDifference(listing, text[(colon + 2)..]));
        }
    }
}
