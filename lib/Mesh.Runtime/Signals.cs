using System.Runtime.InteropServices;

namespace Mesh.Runtime;

/// <summary>SIGTERM and SIGINT. The first one asks for a graceful end; a second SIGINT ends the process at once with code 0.</summary>
/// <remarks>The handlers run on a thread of the runtime; the callback must return quickly.</remarks>
public sealed class Signals : IDisposable
{
    private readonly PosixSignalRegistration _terminate;
    private readonly PosixSignalRegistration _interrupt;
    private readonly Action<string> _received;
    private readonly Action _leaveNow;
    private int _interrupts;

    private Signals(Action<string> received, Action leaveNow)
    {
        _received = received;
        _leaveNow = leaveNow;
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, c => Handle(c, "SIGTERM"));
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, c => Handle(c, "SIGINT"));
    }

    /// <param name="received">Told the name of the signal, possibly more than once.</param>
    /// <param name="leaveNow">What a second SIGINT does; by default the process exits with 0.</param>
    public static Signals Listen(Action<string> received, Action? leaveNow = null) => new(received, leaveNow ?? (() => Environment.Exit(ExitCodes.Ok)));

    public void Dispose()
    {
        _terminate.Dispose();
        _interrupt.Dispose();
    }

    internal void Handle(PosixSignalContext context, string name)
    {
        context.Cancel = true; // not the default action: that would end the process without a drain
        if (name == "SIGINT" && Interlocked.Increment(ref _interrupts) > 1)
            _leaveNow();
        else
            _received(name);
    }
}
