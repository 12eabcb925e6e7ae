namespace Mesh.Ztunnel.Telemetry;

/// <summary>Where the time of a connection went, so that a long duration is visibly the peer's: moments are loop timestamps, 0 is "never".</summary>
internal struct TimeParts
{
    public long Accepted;
    public long Decided;
    public long Connected;
    public long FirstByteBack;
    public long Ended;

    public readonly TimeSpan? Deciding(TimeProvider time) => Between(time, Accepted, Decided);

    public readonly TimeSpan? Connecting(TimeProvider time) => Between(time, Decided, Connected);

    public readonly TimeSpan? ToFirstByte(TimeProvider time) => Between(time, Connected, FirstByteBack);

    public readonly TimeSpan Total(TimeProvider time) => Between(time, Accepted, Ended) ?? TimeSpan.Zero;

    private static TimeSpan? Between(TimeProvider time, long from, long to) => from == 0 || to == 0 ? null : time.GetElapsedTime(from, to);
}
