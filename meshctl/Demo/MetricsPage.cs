using System.Globalization;

namespace Mesh.Meshctl.Demo;

/// <summary>One sample of a Prometheus page.</summary>
internal readonly record struct MetricSample(string Name, string Labels, double Value)
{
    /// <summary>Value of one label, or null.</summary>
    public string? Label(string name)
    {
        var at = Labels.StartsWith(name + "=\"", StringComparison.Ordinal) ? 0 : Labels.IndexOf("," + name + "=\"", StringComparison.Ordinal) + 1;
        if (at == 0 && !Labels.StartsWith(name + "=\"", StringComparison.Ordinal))
            return null;
        var from = at + name.Length + 2;
        var to = Labels.IndexOf('"', from);
        return to < 0 ? null : Labels[from..to];
    }
}

/// <summary>Reads the text exposition, as far as sums and histogram quantiles need it.</summary>
internal static class MetricsPage
{
    public static List<MetricSample> Parse(string text)
    {
        List<MetricSample> samples = [];
        foreach (var line in text.Split('\n'))
        {
            if (line.Length == 0 || line[0] == '#')
                continue;
            var open = line.IndexOf('{', StringComparison.Ordinal);
            var close = line.LastIndexOf('}');
            var rest = (close >= 0 ? line[(close + 1)..] : line[line.IndexOf(' ', StringComparison.Ordinal)..]).Trim().Split(' ');
            var name = open >= 0 ? line[..open] : line[..line.IndexOf(' ', StringComparison.Ordinal)];
            if (double.TryParse(rest[0].Replace("+Inf", "Infinity", StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture, out var value))
                samples.Add(new MetricSample(name, open >= 0 && close > open ? line[(open + 1)..close] : string.Empty, value));
        }

        return samples;
    }

    public static double Sum(this IEnumerable<MetricSample> samples, string name, Func<MetricSample, bool>? where = null) =>
        samples.Where(s => s.Name == name && (where is null || where(s))).Sum(s => s.Value);

    /// <summary>Upper bound of the bucket that holds the quantile, over what was counted between the two pages.</summary>
    public static double Quantile(IEnumerable<MetricSample> before, IEnumerable<MetricSample> after, string histogram, double share)
    {
        Dictionary<double, double> Buckets(IEnumerable<MetricSample> page) => page
            .Where(s => s.Name == histogram + "_bucket")
            .GroupBy(s => s.Label("le") is "+Inf" or null ? double.PositiveInfinity : double.Parse(s.Label("le")!, CultureInfo.InvariantCulture))
            .ToDictionary(g => g.Key, g => g.Sum(s => s.Value));
        var earlier = Buckets(before);
        var counts = Buckets(after).Select(b => (Bound: b.Key, Count: b.Value - earlier.GetValueOrDefault(b.Key))).OrderBy(b => b.Bound).ToList();
        return counts.Count == 0 || counts[^1].Count <= 0 ? double.NaN : counts.First(b => b.Count >= counts[^1].Count * share).Bound;
    }
}
