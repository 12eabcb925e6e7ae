using System.Globalization;
using System.Text;
using Mesh.SideBySide.Measuring;

namespace Mesh.SideBySide.Reporting;

/// <summary>The result as text and as Markdown: goal, value, spread, met or not.</summary>
internal static class Table
{
    public static string ToMarkdown(Results results, IReadOnlyList<Row> rows, IReadOnlyList<string> machine, RunOptions options, DateTimeOffset when)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"# Side by side, {when:yyyy-MM-dd HH:mm} UTC\n\n");
        foreach (var line in machine)
            text.Append("- ").Append(line).Append('\n');
        text.Append(CultureInfo.InvariantCulture, $"- {options.Rounds} alternating round(s) of {options.Seconds} s; value: median of the rounds' ratios; spread: lowest and highest round\n\n");
        text.Append("| work | goal | value | spread | |\n|---|---|---|---|---|\n");
        foreach (var row in rows)
        {
            if (results.Of(row) is not { } series)
                text.Append(CultureInfo.InvariantCulture, $"| {row.Name} | {Goal(row)} | not measured | | |\n");
            else
                text.Append(CultureInfo.InvariantCulture, $"| {row.Name} | {Goal(row)} | {Format.Number(series.Median)}{Unit(row)} | {Spread(series)} | {row.IsMet(series.Median) switch { true => "met", false => "**not met**", null => string.Empty }} |\n");
        }

        text.Append("\nEverything that was measured (medians; rate per second, times in microseconds, CPU in microseconds per request or seconds per GB):\n\n");
        text.Append("| peer | load | figures |\n|---|---|---|\n");
        foreach (var (peer, work) in results.Keys.OrderBy(k => k.Work, StringComparer.Ordinal).ThenBy(k => k.Peer, StringComparer.Ordinal))
        {
            var figures = results.Figures(peer, work).Select(f => $"{f} {Format.Number(results.Of(peer, work, f)!.Median)}");
            text.Append(CultureInfo.InvariantCulture, $"| {peer} | {work} | {string.Join(", ", figures)} |\n");
        }

        return text.ToString();
    }

    public static string ToText(Results results, IReadOnlyList<Row> rows)
    {
        var text = new StringBuilder();
        foreach (var row in rows)
        {
            var series = results.Of(row);
            var verdict = series is null ? "not measured" : row.IsMet(series.Median) switch { true => "met", false => "NOT MET", null => string.Empty };
            text.Append(CultureInfo.InvariantCulture, $"{row.Name,-62} goal {Goal(row),-10} value {(series is null ? "-" : Format.Number(series.Median) + Unit(row)),-10} {(series is null ? string.Empty : Spread(series)),-24} {verdict}\n");
        }

        return text.ToString();
    }

    private static string Goal(Row row) => row.Goal is not { } goal ? "-" : $"{(row.AtLeast ? ">=" : "<=")} {goal.ToString(CultureInfo.InvariantCulture)}{Unit(row)}";

    private static string Unit(Row row) => row.Unit == "x" ? "x" : " " + row.Unit;

    private static string Spread(Series series) => series.Values.Count == 1
        ? "one round"
        : $"{Format.Number(series.Lowest)} to {Format.Number(series.Highest)}{(series.IsNoisy ? ", noisy" : string.Empty)}";
}
