using System.Buffers;
using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Authorization;

/// <summary>
/// What an application may take a path for: any sequence of the normalisations that servers and frameworks are known to do. A policy that allows one
/// reading and not another protects nothing, so all of them are judged. Pure.
/// </summary>
internal static class PathReadings
{
    /// <summary>Nobody but an attacker writes a path with more.</summary>
    public const int Most = 64;

    private static readonly SearchValues<char> Special = SearchValues.Create("%;\\");

    private static readonly Func<string, string>[] Steps =
    [
        PathNormalizer.MergeSlashes,
        PathNormalizer.DecodeSlashes,
        PathNormalizer.DecodeUnreserved,
        path => path.Replace('\\', '/'),
        PathNormalizer.RemoveDotSegments,
        RemoveParameters,
    ];

    /// <summary>False for a path that everybody reads as it is: nearly all are such.</summary>
    public static bool MayDiffer(string path) =>
        path.AsSpan().IndexOfAny(Special) >= 0 || path.Contains("//", StringComparison.Ordinal) || path.Contains("/.", StringComparison.Ordinal);

    /// <returns>The path itself, then every other reading; null where there are too many to look at.</returns>
    public static IReadOnlyList<string>? Of(string path)
    {
        var readings = new List<string> { path };
        for (var i = 0; i < readings.Count; i++)
        {
            foreach (var step in Steps)
            {
                var reading = step(readings[i]);
                if (readings.Contains(reading))
                    continue;
                if (readings.Count == Most)
                    return null;
                readings.Add(reading);
            }
        }

        return readings;
    }

    // RFC 3986, 3.3: servlet containers and others take what follows a semicolon off every segment.
    private static string RemoveParameters(string path) => path.Contains(';', StringComparison.Ordinal)
        ? string.Join('/', path.Split('/').Select(s => s.IndexOf(';', StringComparison.Ordinal) is >= 0 and var semicolon ? s[..semicolon] : s))
        : path;
}
