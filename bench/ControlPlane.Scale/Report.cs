using System.Globalization;

namespace Mesh.ControlPlane.Scale;

/// <summary>The figures of a run with their goals.</summary>
internal sealed class Report
{
    private readonly List<(string Name, string Unit, double? Goal, double[] Values)> _lines = [];

    /// <param name="name">What is measured.</param>
    /// <param name="unit">Of the values.</param>
    /// <param name="goal">Must be below it; null: no goal at this size.</param>
    /// <param name="values">One per round; the middle one counts.</param>
    public void Add(string name, string unit, double? goal, params double[] values) => _lines.Add((name, unit, goal, [.. values.Order()]));

    public void Print(TextWriter output)
    {
        output.WriteLine($"{"",-44}{"goal",12}{"value",12}   spread");
        foreach (var (name, unit, goal, values) in _lines)
        {
            var value = Middle(values);
            var verdict = goal is null ? "" : value < goal ? "  ok" : "  OVER";
            var spread = values.Length > 1 ? $"{Text(values[0])} .. {Text(values[^1])}" : "";
            output.WriteLine($"{$"{name}, {unit}",-44}{(goal is { } g ? "< " + Text(g) : "-"),12}{Text(value),12}   {spread}{verdict}");
        }
    }

    public void Append(string path, ScaleOptions options)
    {
        if (!File.Exists(path))
            File.WriteAllText(path, "pods\tservices\tagents\tchanges/s\t" + string.Join('\t', _lines.Select(l => $"{l.Name}, {l.Unit}")) + "\n");
        File.AppendAllText(path, string.Create(CultureInfo.InvariantCulture, $"{options.Pods}\t{options.Services}\t{options.Agents}\t{options.Rate}\t")
            + string.Join('\t', _lines.Select(l => Text(Middle(l.Values)))) + "\n");
    }

    private static double Middle(double[] values) => values[values.Length / 2];

    private static string Text(double value) => value.ToString(value < 10 ? "0.00" : value < 100 ? "0.0" : "0", CultureInfo.InvariantCulture);
}
