namespace Mesh.Identity.Fetching;

/// <summary>Delays after failures: about a second, then twice as long each time up to 150 s, each ±20 %.</summary>
internal struct RetryBackoff
{
    private static readonly TimeSpan First = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Cap = TimeSpan.FromSeconds(150);
    private const double Spread = 0.2;
    private int _failures;

    public TimeSpan Next(Random random)
    {
        // 2^8 s is beyond the cap; counting further would only overflow.
        var plain = First * Math.Pow(2, Math.Min(_failures++, 8));
        var spread = plain * (1 - Spread + (2 * Spread * random.NextDouble()));
        return spread < Cap ? spread : Cap;
    }

    public void Reset() => _failures = 0;
}
