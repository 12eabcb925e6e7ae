using System.Buffers;
using Mesh.Net.Loop;
using Mesh.Net.Native;

namespace Mesh.Net;

/// <summary>One thread, one epoll (edge-triggered), one timer wheel, one buffer pool: everything of a connection lives and dies here.</summary>
/// <remarks>
/// An iteration: (1) wait, (2) tell the owners of ready descriptors, (3) run posted work, (4) fire timers, (5) resume who gave up its turn,
/// (6) flush every dirty object once. Members are for the loop's own thread unless they say "any thread".
/// As a <see cref="SynchronizationContext"/> it brings <c>await</c> on anything else back to this thread by a post.
/// </remarks>
public sealed partial class EventLoop : SynchronizationContext, IDisposable
{
    /// <summary>Large enough for what one read of a fast connection yields; touched by one connection at a time, so it stays in the cache.</summary>
    private const int ScratchSize = 256 * 1024;

    /// <summary>What transports lend to their handlers; apart from <see cref="Scratch"/>, so that a handler may use that. TLS gathers records in it.</summary>
    private const int ReceiveScratchSize = 8 * TlsTransport.RecordSize;

    [ThreadStatic]
    private static EventLoop? s_current;

    private readonly EventLoopOptions _options;
    private readonly Thread _thread;
    private readonly SlabPool _buffers;
    private readonly byte[] _scratch = GC.AllocateUninitializedArray<byte>(ScratchSize, pinned: true);
    private readonly byte[] _receiveScratch = GC.AllocateUninitializedArray<byte>(ReceiveScratchSize, pinned: true);
    private readonly int _epoll;
    private readonly int _wake;

    private EventLoop(string name, EventLoopOptions options)
    {
        _options = options;
        Name = name;
        Metrics = new LoopMetrics(this);
        _buffers = new SlabPool(this);
        _epoll = Libc.epoll_create1(Libc.EPOLL_CLOEXEC);
        SocketFailureException.ThrowIfNegative(_epoll, "create the epoll descriptor of a loop", null);
        _wake = Libc.eventfd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK);
        SocketFailureException.ThrowIfNegative(_wake, "create the wake-up descriptor of a loop", null);
        SocketFailureException.ThrowIfNegative(EpollEvents.Add(_epoll, _wake, Libc.EPOLLIN | Libc.EPOLLET, WakeData), "watch the wake-up descriptor of a loop", null);
        _reserve = Libc.open("/dev/null", Libc.O_RDONLY | Libc.O_CLOEXEC);
        _origin = options.Time.GetTimestamp();
        _ticksFrequency = options.Time.TimestampFrequency;
        _now = _origin;
        _busyPoll = (long)(options.BusyPoll.TotalSeconds * TimeProvider.System.TimestampFrequency);
        if (!ReferenceEquals(options.Time, TimeProvider.System))
            _alarm = options.Time.CreateTimer(static loop => ((EventLoop)loop!).Wake(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _thread = new Thread(Run) { Name = name, IsBackground = true };
    }

    /// <summary>The loop whose thread is calling, or null. Any thread.</summary>
    public static new EventLoop? Current => s_current;

    /// <summary>Name of the loop and its thread.</summary>
    public string Name { get; }

    /// <summary>Whether the caller is on the loop's thread. Any thread.</summary>
    public bool InLoop => ReferenceEquals(s_current, this);

    /// <summary>The loop-owned slab: rent when bytes are there, return when they are drained.</summary>
    public ArrayPool<byte> Buffers => _buffers;

    /// <summary>256 KiB that belong to whoever runs: valid only until the callback returns, never kept across an await that suspends.</summary>
    public Memory<byte> Scratch => _scratch;

    /// <summary>The clock of the loop. Any thread.</summary>
    public TimeProvider Time => _options.Time;

    /// <summary>Timestamp of <see cref="Time"/>, taken once per iteration. Any thread.</summary>
    public long Now => Volatile.Read(ref _now);

    /// <summary>Counters. Any thread.</summary>
    public LoopMetrics Metrics { get; }

    internal Memory<byte> ReceiveScratch => _receiveScratch;

    internal EventLoopOptions Options => _options;

    internal long RentedBytes => _buffers.RentedBytes;

    internal long RetainedBytes => _buffers.RetainedBytes;

    /// <summary>Starts a loop with its thread. Any thread.</summary>
    public static EventLoop Start(string name, EventLoopOptions? options = null)
    {
        var loop = new EventLoop(name, options ?? new EventLoopOptions());
        loop._thread.Start();
        return loop;
    }

    /// <summary>
    /// Stops the loop: work posted until now still runs, then every socket is closed and the thread ends. Waits for that, unless called on the loop.
    /// Any thread.
    /// </summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _stopping, 1) == 0)
            Wake();
        if (!InLoop)
            _thread.Join();
    }

    /// <summary>A loop is shared by reference; there is nothing to copy.</summary>
    public override SynchronizationContext CreateCopy() => this;

    internal void EnsureInLoop()
    {
        if (!InLoop)
            throw new InvalidOperationException($"This must be called on the thread of loop '{Name}'; use Post or InvokeAsync to get there.");
    }
}
