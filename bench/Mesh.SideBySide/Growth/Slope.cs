using System.Globalization;
using Mesh.SideBySide.Reporting;

namespace Mesh.SideBySide.Growth;

/// <summary>How a cost grows, as the exponent of a power law (the straight line of least squares through the logarithms), and in words.</summary>
internal readonly record struct Slope(double Exponent, double Factor, double First, double Last)
{
    /// <summary>Points with a value of 0 or less say nothing about a power and are left out.</summary>
    public static Slope Of(IReadOnlyList<(double X, double Y)> points)
    {
        var usable = points.Where(p => p.X > 0 && p.Y > 0).ToList();
        if (usable.Count < 2)
            return new Slope(0, 1, points[0].X, points[^1].X);
        var logs = usable.Select(p => (X: Math.Log(p.X), Y: Math.Log(p.Y))).ToList();
        var (meanX, meanY) = (logs.Average(p => p.X), logs.Average(p => p.Y));
        var spread = logs.Sum(p => (p.X - meanX) * (p.X - meanX));
        var exponent = spread > 0 ? logs.Sum(p => (p.X - meanX) * (p.Y - meanY)) / spread : 0;
        return new Slope(exponent, usable[^1].Y / usable[0].Y, usable[0].X, usable[^1].X);
    }

    public string InWords(string what)
    {
        var kind = Exponent switch
        {
            < -0.1 => "falls",
            < 0.05 => "does not grow",
            < 0.3 => "hardly grows",
            < 0.8 => "grows slower than in proportion",
            <= 1.2 => "grows in proportion",
            _ => "grows faster than in proportion",
        };
        return string.Create(CultureInfo.InvariantCulture, $"{Format.Number(Last / Math.Max(1, First))} times as many {what}: {Format.Number(Factor)} times the cost; it {kind} (exponent {Exponent:0.00})");
    }
}
