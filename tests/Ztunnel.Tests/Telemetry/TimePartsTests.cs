using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Tests.Telemetry;

/// <summary>Whose time it was.</summary>
public sealed class TimePartsTests
{
    private static readonly TimeProvider Clock = TimeProvider.System;

    private static long At(double milliseconds) => 1 + (long)(Clock.TimestampFrequency * milliseconds / 1000);

    private static double? Milliseconds(TimeSpan? time) => time is { } t ? Math.Round(t.TotalMilliseconds, 3) : null;

    [Fact]
    public void SlowAnswer_IsTheApplications_AndSilenceAtTheEndIsNobodys()
    {
        var times = new TimeParts { Accepted = At(0), Decided = At(2), Connected = At(7), FirstByteBack = At(1007), LastByte = At(1010), Ended = At(61010) };
        Assert.Equal(
            (2, 5, 1000, 60000, 61010),
            (Milliseconds(times.Deciding(Clock)), Milliseconds(times.Connecting(Clock)), Milliseconds(times.ToFirstByte(Clock)), Milliseconds(times.Idle(Clock)), Milliseconds(times.Total(Clock))));
    }

    [Fact]
    public void ConnectionThatWasNeverMade_SpentItsTimeOnTrying()
    {
        var times = new TimeParts { Accepted = At(0), Decided = At(1), Ended = At(10001) };
        Assert.Equal((1, 10000), (Milliseconds(times.Deciding(Clock)), Milliseconds(times.Connecting(Clock))));
        Assert.Null(times.ToFirstByte(Clock));
        Assert.Null(times.Idle(Clock));
        Assert.Null(times.Tls);
    }

    [Fact]
    public void ConnectionThatWasRefusedBeforeADecision_HasOnlyATotal()
    {
        var times = new TimeParts { Accepted = At(0), Ended = At(3) };
        Assert.Equal(3, Milliseconds(times.Total(Clock)));
        Assert.Null(times.Deciding(Clock));
        Assert.Null(times.Connecting(Clock));
    }

    [Fact]
    public void ConnectionWithoutAByte_WasIdleSinceItStood() =>
        Assert.Equal(50, Milliseconds(new TimeParts { Accepted = At(0), Decided = At(1), Connected = At(10), Ended = At(60) }.Idle(Clock)));
}
