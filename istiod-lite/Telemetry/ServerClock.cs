using Mesh.Kubernetes.Requests;

namespace Mesh.IstiodLite.Telemetry;

/// <summary>The API server's time as its answers tell it, against our own. Any thread.</summary>
internal sealed class ServerClock(TimeProvider time)
{
    private long _ahead;

    public void Take(DateTimeOffset server) => Interlocked.Exchange(ref _ahead, (time.GetUtcNow() - server).Ticks);

    /// <summary>Null: near enough.</summary>
    public string? Fault => ClockDifference.Describe(TimeSpan.FromTicks(Interlocked.Read(ref _ahead))) is { } difference
        ? $"the clock of the control plane's node is {difference}: beyond 2 min the certificates that it issues seem to have ended, or not to have begun; set the clock (chrony, systemd-timesyncd)"
        : null;
}
