namespace Mesh.IstiodLite.Sources.Yaml;

/// <summary>The known name a misspelt one probably means.</summary>
internal static class Spelling
{
    public static string? Nearest(string name, IEnumerable<string> known)
    {
        if (name.Length > 64)
            return null;
        string? best = null;
        var bestDistance = Math.Max(1, name.Length / 3) + 1;
        foreach (var candidate in known.Order(StringComparer.Ordinal))
        {
            var distance = Distance(name, candidate);
            if (distance < bestDistance)
                (best, bestDistance) = (candidate, distance);
        }
        return best;
    }

    /// <summary>Levenshtein: how many letters must change, come or go; case does not count.</summary>
    public static int Distance(string a, string b)
    {
        var previous = Enumerable.Range(0, b.Length + 1).ToArray();
        var current = new int[b.Length + 1];
        for (var i = 1; i <= a.Length; i++)
        {
            current[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var same = char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1;
                current[j] = Math.Min(Math.Min(current[j - 1], previous[j]) + 1, previous[j - 1] + same);
            }
            (previous, current) = (current, previous);
        }
        return previous[b.Length];
    }
}
