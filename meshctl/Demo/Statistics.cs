namespace Mesh.Meshctl.Demo;

/// <summary>The two figures that the demo judges by.</summary>
internal static class Statistics
{
    /// <summary>The smallest range of successes in <paramref name="trials"/> that a fair draw leaves with at most <paramref name="doubt"/> in each tail together.</summary>
    public static (int Low, int High) BinomialBounds(int trials, double probability, double doubt)
    {
        // From the logarithms: 0.95^2000 is far below the smallest double times what it is multiplied with.
        var logs = new double[trials + 1];
        for (var k = 1; k <= trials; k++)
            logs[k] = logs[k - 1] + Math.Log(k);
        double Mass(int k) => Math.Exp(logs[trials] - logs[k] - logs[trials - k] + (k * Math.Log(probability)) + ((trials - k) * Math.Log(1 - probability)));

        var low = 0;
        for (var tail = Mass(0); tail < doubt / 2; tail += Mass(low))
            low++;
        var high = trials;
        for (var tail = Mass(trials); tail < doubt / 2; tail += Mass(high))
            high--;
        return (low, high);
    }

    /// <summary>The value that <paramref name="share"/> of the sorted samples do not exceed.</summary>
    public static double Percentile(IEnumerable<double> samples, double share)
    {
        var sorted = samples.Order().ToArray();
        return sorted.Length == 0 ? double.NaN : sorted[Math.Clamp((int)Math.Ceiling(sorted.Length * share) - 1, 0, sorted.Length - 1)];
    }
}
