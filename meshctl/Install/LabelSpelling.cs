namespace Mesh.Meshctl.Install;

/// <summary>The labels by which people opt in, and what is nearly one of them.</summary>
internal static class LabelSpelling
{
    public const string DataplaneMode = "istio.io/dataplane-mode";

    private static readonly Dictionary<string, string[]> Known = new(StringComparer.Ordinal)
    {
        [DataplaneMode] = ["ambient", "none"],
        ["istio.io/use-waypoint"] = [],
        ["istio.io/use-waypoint-namespace"] = [],
        ["istio.io/ingress-use-waypoint"] = ["true", "false"],
        ["istio.io/rev"] = [],
        ["istio.io/global"] = ["true", "false"],
        ["istio.io/waypoint-for"] = ["service", "workload", "all", "none"],
    };

    /// <returns>Null: nothing to say about this label.</returns>
    public static string? Check(string key, string value)
    {
        if (Known.TryGetValue(key, out var values))
        {
            return values.Length == 0 || values.Contains(value, StringComparer.Ordinal)
                ? null
                : $"{key}={value} has no effect; it knows {string.Join(", ", values)}";
        }

        var near = Known.Keys.FirstOrDefault(k => Spelling.Distance(k, key) is > 0 and <= 2 || (k.Split('/')[1] == key.Split('/')[^1] && key.Contains("istio", StringComparison.Ordinal)));
        return near is null ? null : $"{key} has no effect; did you mean {near}?";
    }
}

internal static class Spelling
{
    /// <summary>Levenshtein: how many letters must change, come or go.</summary>
    public static int Distance(string one, string two)
    {
        var row = Enumerable.Range(0, two.Length + 1).ToArray();
        for (var i = 1; i <= one.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= two.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (one[i - 1] == two[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[^1];
    }
}
