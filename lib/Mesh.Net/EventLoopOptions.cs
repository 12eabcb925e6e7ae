namespace Mesh.Net;

/// <summary>What a loop is started with.</summary>
public sealed record EventLoopOptions
{
    /// <summary>Longer than most answers on one machine take; 20 us were too short, 100 no better (docs/performance.md).</summary>
    public static readonly TimeSpan DefaultBusyPoll = TimeSpan.FromMicroseconds(50);

    /// <summary>The clock of timers and timestamps.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Told of exceptions that escaped a handler, a timer or a story, with what was running. The loop goes on; the socket concerned is closed.</summary>
    /// <remarks>Runs on the loop's thread. Without it such an exception is written to standard error: nothing may vanish silently.</remarks>
    public Action<Exception, string>? UnhandledException { get; init; }

    /// <summary>Ready events taken from the kernel per iteration.</summary>
    public int MaxEventsPerIteration { get; init; } = 512;

    /// <summary>Bytes one connection may move per iteration before the others have their turn. 256 KiB is one scratch buffer.</summary>
    public int BytesPerIteration { get; init; } = 256 * 1024;

    /// <summary>How long a loop looks for events before it sleeps, while that pays (see docs/performance.md); zero: it always sleeps at once.</summary>
    public TimeSpan BusyPoll { get; init; } = DefaultBusyPoll;

    /// <summary>How long a listener rests after the process ran out of descriptors.</summary>
    public TimeSpan AcceptBackoff { get; init; } = TimeSpan.FromMilliseconds(100);
}
