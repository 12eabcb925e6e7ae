namespace Mesh.SideBySide.Measuring;

/// <summary>One figure over the rounds: never an average, always with its spread.</summary>
internal sealed record Series(IReadOnlyList<double> Values)
{
    /// <summary>Beyond this the run was noisy and says so.</summary>
    private const double NoisyAt = 0.25;

    public double Median
    {
        get
        {
            var sorted = Values.Order().ToArray();
            return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
        }
    }

    public double Lowest => Values.Min();

    public double Highest => Values.Max();

    public bool IsNoisy => Values.Count > 1 && Highest - Lowest > NoisyAt * Math.Abs(Median);
}
