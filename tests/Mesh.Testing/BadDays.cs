using System.Text.RegularExpressions;

namespace Mesh.Testing;

/// <summary>The table of bad days in docs/kubernetes.md: what people are promised to be told.</summary>
/// <param name="Reason">Of the Event.</param>
/// <param name="Metric">As the metrics page writes it.</param>
public sealed record BadDay(string What, string Reason, string Metric);

public static partial class BadDays
{
    /// <summary>A row for each metric; "the same" is what the row before says.</summary>
    public static IReadOnlyList<BadDay> Rows()
    {
        var rows = new List<BadDay>();
        var lines = File.ReadLines(Path.Combine(Repository.Root, "docs", "kubernetes.md")).SkipWhile(l => l != "## When something is wrong").SkipWhile(l => !l.StartsWith("| what | Event", StringComparison.Ordinal)).Skip(2);
        foreach (var cells in lines.TakeWhile(l => l.StartsWith('|')).Select(l => l.Split('|', StringSplitOptions.TrimEntries)))
        {
            var last = rows.LastOrDefault();
            var reason = Quoted().Match(cells[2]) is { Success: true } told ? told.Groups[1].Value : last!.Reason;
            var metrics = Code().Matches(cells[3]).Select(m => m.Groups[1].Value).DefaultIfEmpty(last?.Metric ?? string.Empty);
            rows.AddRange(metrics.Select(m => new BadDay(cells[1], reason, m)));
        }
        return rows;
    }

    [GeneratedRegex("\"(\\w+)\"")]
    private static partial Regex Quoted();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();
}
