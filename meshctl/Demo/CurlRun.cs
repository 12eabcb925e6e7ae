using System.Globalization;

namespace Mesh.Meshctl.Demo;

/// <summary>One request as curl saw it.</summary>
internal readonly record struct CurlResult(string Body, int Status, double Seconds);

/// <summary>Many requests by one curl process: URL globbing, so that they share connections as any client's do.</summary>
internal static class CurlRun
{
    private const string Format = "|%{http_code}|%{time_total}\n";

    public static IReadOnlyList<string> Command(string url, int count, params ReadOnlySpan<string> more) =>
        ["curl", "-s", "-m", "600", "--connect-timeout", "10", "-w", Format, .. more, count == 1 ? url : string.Create(CultureInfo.InvariantCulture, $"{url}?n=[1-{count}]")];

    /// <summary>Again and again until a file appears. A pause keeps two cores free for the mesh under test.</summary>
    public static IReadOnlyList<string> Until(string stopFile, string url) =>
        ["sh", "-c", "while [ ! -e \"$1\" ]; do curl -s -m 20 -w \"$3\" \"$2?n=[1-20]\"; sleep 0.02; done", "load", stopFile, url, Format];

    public static List<CurlResult> Parse(string output)
    {
        List<CurlResult> results = [];
        foreach (var line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = line.Split('|');
            if (parts.Length >= 3 && int.TryParse(parts[^2], NumberStyles.None, CultureInfo.InvariantCulture, out var status)
                && double.TryParse(parts[^1], NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds))
                results.Add(new CurlResult(string.Join('|', parts[..^2]), status, seconds));
        }

        return results;
    }
}
