namespace Mesh.Runtime;

/// <summary>Gives memory back when a burst is over. The collector runs by allocation: a process that has become quiet would keep its garbage for ever.</summary>
/// <remarks>
/// Every interval: has more been allocated since the last full collection than is worth keeping, and next to nothing in this interval? Then one compacting
/// collection, of a few milliseconds for the heaps here, that returns free memory to the system. While work goes on it never runs. Any thread.
/// </remarks>
public sealed class IdleCollection : IDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(2);

    /// <summary>Less than this in an interval is quiet: housekeeping and a scrape, no connections.</summary>
    private const long Quiet = 512 * 1024;

    /// <summary>Garbage that is not worth a collection.</summary>
    private const long Worthwhile = 4 * 1024 * 1024;

    private readonly Func<long> _allocated;
    private readonly Action _collect;
    private readonly ITimer _timer;
    private long _atLastTick;
    private long _atLastCollection;

    /// <param name="also">Runs after each collection: what else a burst has left.</param>
    public IdleCollection(TimeProvider time, Action? also = null)
        : this(time, () => GC.GetTotalAllocatedBytes(), () =>
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            also?.Invoke();
        })
    {
    }

    internal IdleCollection(TimeProvider time, Func<long> allocated, Action collect)
    {
        ArgumentNullException.ThrowIfNull(time);
        _allocated = allocated;
        _collect = collect;
        _timer = time.CreateTimer(static c => ((IdleCollection)c!).Tick(), this, s_interval, s_interval);
    }

    public void Dispose() => _timer.Dispose();

    private void Tick()
    {
        var now = _allocated();
        var quiet = now - _atLastTick < Quiet;
        _atLastTick = now;
        if (!quiet || now - _atLastCollection < Worthwhile)
            return;
        _atLastCollection = now;
        _collect();
    }
}
