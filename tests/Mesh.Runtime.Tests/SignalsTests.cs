using System.Runtime.InteropServices;

namespace Mesh.Runtime.Tests;

public sealed class SignalsTests
{
    [Fact]
    public void Interrupt_ASecondTime_LeavesAtOnce()
    {
        var received = new List<string>();
        var left = 0;
        using var signals = Signals.Listen(received.Add, () => left++);
        signals.Handle(new PosixSignalContext(PosixSignal.SIGINT), "SIGINT");
        Assert.Equal((1, 0), (received.Count, left));
        signals.Handle(new PosixSignalContext(PosixSignal.SIGINT), "SIGINT");
        Assert.Equal((1, 1), (received.Count, left));
    }

    [Fact]
    public void Terminate_HoweverOften_OnlyAsksForTheDrainAndCancelsTheDefaultAction()
    {
        var received = new List<string>();
        using var signals = Signals.Listen(received.Add, () => Assert.Fail("SIGTERM must not end the process at once"));
        var context = new PosixSignalContext(PosixSignal.SIGTERM);
        signals.Handle(context, "SIGTERM");
        signals.Handle(context, "SIGTERM");
        Assert.True(context.Cancel);
        Assert.Equal(["SIGTERM", "SIGTERM"], received);
    }
}
