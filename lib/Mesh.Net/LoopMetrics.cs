namespace Mesh.Net;

/// <summary>Counters of one loop: written by the loop's thread, readable from any.</summary>
public sealed class LoopMetrics
{
    private readonly EventLoop _loop;
    private long _iterations;
    private long _readyEvents;
    private long _openSockets;
    private long _activeTimers;
    private long _unhandledExceptions;
    private long _acceptBackoffs;
    private long _vainLooks;

    internal LoopMetrics(EventLoop loop) => _loop = loop;

    /// <summary>Turns of the loop.</summary>
    public long Iterations => Volatile.Read(ref _iterations);

    /// <summary>Readiness events delivered by the kernel.</summary>
    public long ReadyEvents => Volatile.Read(ref _readyEvents);

    /// <summary>Descriptors registered with the loop: sockets and listeners of every kind.</summary>
    public long OpenSockets => Volatile.Read(ref _openSockets);

    /// <summary>Timers waiting in the wheel.</summary>
    public long ActiveTimers => Volatile.Read(ref _activeTimers);

    /// <summary>Bytes of <see cref="EventLoop.Buffers"/> that are rented now.</summary>
    public long RentedBytes => _loop.RentedBytes;

    /// <summary>Bytes that <see cref="EventLoop.Buffers"/> keeps for reuse.</summary>
    public long RetainedBytes => _loop.RetainedBytes;

    /// <summary>Exceptions that escaped handlers, timers and stories.</summary>
    public long UnhandledExceptions => Volatile.Read(ref _unhandledExceptions);

    /// <summary>How often a listener rested because the process had no descriptor left.</summary>
    public long AcceptBackoffs => Volatile.Read(ref _acceptBackoffs);

    /// <summary>How often the loop looked for events for the whole of <see cref="EventLoopOptions.BusyPoll"/> and slept after all: processor time for nothing.</summary>
    public long VainLooks => Volatile.Read(ref _vainLooks);

    // Single writer: a plain read and a volatile write, no interlocked operation on the data path.
    internal void CountIteration(int readyEvents)
    {
        Volatile.Write(ref _iterations, _iterations + 1);
        Volatile.Write(ref _readyEvents, _readyEvents + readyEvents);
    }

    internal void CountSocket(int change) => Volatile.Write(ref _openSockets, _openSockets + change);

    internal void SetTimers(int count) => Volatile.Write(ref _activeTimers, count);

    internal void CountUnhandled() => Volatile.Write(ref _unhandledExceptions, _unhandledExceptions + 1);

    internal void CountVainLook() => Volatile.Write(ref _vainLooks, _vainLooks + 1);

    internal void CountAcceptBackoff() => Volatile.Write(ref _acceptBackoffs, _acceptBackoffs + 1);
}
