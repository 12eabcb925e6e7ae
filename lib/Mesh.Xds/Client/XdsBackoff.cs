namespace Mesh.Xds.Client;

/// <summary>How long to wait before the next stream. One thread.</summary>
/// <remarks>
/// Errors double the delay from 10 ms (so the first one waits 20 ms) up to 15 s; a restart of the server costs 10 ms; a clean end
/// costs nothing. Jitter only ever shortens a delay: all nodes lose a restarting control plane at the same moment and must not
/// come back at the same moment.
/// </remarks>
internal sealed class XdsBackoff(Random random)
{
    private static readonly TimeSpan Start = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Cap = TimeSpan.FromSeconds(15);

    // The part of a delay that chance may take away.
    private const double Jitter = 0.3;

    private TimeSpan _current = Start;

    /// <param name="end">How the stream ended.</param>
    /// <param name="usable">Whether it delivered anything. One that did not must not be reopened in a tight loop, however politely it ended.</param>
    public TimeSpan Next(XdsTermination end, bool usable)
    {
        if (usable && end is XdsTermination.Complete or XdsTermination.Reconnect)
        {
            _current = Start;
            return end == XdsTermination.Complete ? TimeSpan.Zero : Start;
        }

        if (usable)
            _current = Start; // a stream that worked for an hour is not the ninth failure in a row
        _current = _current * 2 < Cap ? _current * 2 : Cap;
        return _current * (1 - (Jitter * random.NextDouble()));
    }
}
