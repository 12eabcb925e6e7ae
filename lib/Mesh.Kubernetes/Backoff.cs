namespace Mesh.Kubernetes;

/// <summary>Delays that double from <paramref name="first"/> to <paramref name="longest"/>. One thread.</summary>
/// <remarks>Up to half of a delay is taken away by chance: all clients lose a restarting API server at the same moment and must not come back at the same moment.</remarks>
public sealed class Backoff(TimeSpan first, TimeSpan longest, Random random)
{
    private const double Jitter = 0.5;
    private TimeSpan? _next;

    public int Failures { get; private set; }

    public TimeSpan Next(TimeSpan? atLeast = null)
    {
        Failures++;
        var full = _next ?? first;
        var delay = full * (1 - (Jitter * random.NextDouble()));
        _next = full * 2 < longest ? full * 2 : longest;
        return atLeast is { } floor && floor > delay ? floor : delay;
    }

    public void Reset()
    {
        Failures = 0;
        _next = null;
    }
}
