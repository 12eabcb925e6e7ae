using Mesh.Hbone;

namespace Mesh.Ztunnel.Telemetry;

internal enum TunnelOrigin : byte
{
    None,
    New,
    Reused,
}

/// <summary>Where the time of a connection went, so that a long duration is visibly the peer's: moments are loop timestamps, 0 is "never".</summary>
internal struct TimeParts
{
    public long Accepted;
    public long Decided;
    public long Connected;
    public long FirstByteBack;
    public long LastByte;
    public long Ended;
    public TunnelOrigin Tunnel;
    private int _tcpMicroseconds;
    private int _tlsMicroseconds;

    /// <summary>What making the tunnel's connection took; null where it stood already.</summary>
    public readonly TimeSpan? Tcp => Tunnel == TunnelOrigin.New ? TimeSpan.FromMicroseconds(_tcpMicroseconds) : null;

    public readonly TimeSpan? Tls => Tunnel == TunnelOrigin.New ? TimeSpan.FromMicroseconds(_tlsMicroseconds) : null;

    public void Through(HboneClientConnection connection, bool reused)
    {
        Tunnel = reused ? TunnelOrigin.Reused : TunnelOrigin.New;
        _tcpMicroseconds = Microseconds(connection.TcpTime);
        _tlsMicroseconds = Microseconds(connection.TlsTime);
    }

    public readonly TimeSpan? Deciding(TimeProvider time) => Between(time, Accepted, Decided);

    /// <summary>Until bytes could move; where that never came, what was spent on trying.</summary>
    public readonly TimeSpan? Connecting(TimeProvider time) => Between(time, Decided, Connected != 0 ? Connected : Ended);

    public readonly TimeSpan? ToFirstByte(TimeProvider time) => Between(time, Connected, FirstByteBack);

    /// <summary>Without a byte at the end.</summary>
    public readonly TimeSpan? Idle(TimeProvider time) => Between(time, LastByte != 0 ? LastByte : Connected, Ended);

    public readonly TimeSpan Total(TimeProvider time) => Between(time, Accepted, Ended) ?? TimeSpan.Zero;

    private static TimeSpan? Between(TimeProvider time, long from, long to) => from == 0 || to == 0 ? null : time.GetElapsedTime(from, to);

    private static int Microseconds(TimeSpan time) => (int)Math.Min(time.TotalMicroseconds, int.MaxValue);
}
