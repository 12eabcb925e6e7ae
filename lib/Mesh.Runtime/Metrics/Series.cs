namespace Mesh.Runtime.Metrics;

/// <summary>One counter series. Any thread, no allocation, no lock.</summary>
public sealed class Counter
{
    private long _value;

    public long Value => Interlocked.Read(ref _value);

    public void Increment() => Interlocked.Increment(ref _value);

    public void Add(long amount) => Interlocked.Add(ref _value, amount);
}

/// <summary>One gauge series. Any thread, no allocation, no lock.</summary>
public sealed class Gauge
{
    private long _value;

    public long Value => Interlocked.Read(ref _value);

    public void Set(long value) => Interlocked.Exchange(ref _value, value);

    public void Increment() => Interlocked.Increment(ref _value);

    public void Decrement() => Interlocked.Decrement(ref _value);

    public void Add(long amount) => Interlocked.Add(ref _value, amount);
}

/// <summary>One histogram series. Any thread, no allocation, no lock; a scrape may see an observation in the sum a moment before it sees it in a bucket.</summary>
public sealed class Histogram
{
    private readonly double[] _bounds;
    private readonly long[] _buckets; // not cumulative; the last one is beyond every bound
    private double _sum;

    internal Histogram(double[] bounds)
    {
        _bounds = bounds;
        _buckets = new long[bounds.Length + 1];
    }

    internal double Sum => Volatile.Read(ref _sum);

    public void Observe(double value)
    {
        var bucket = 0;
        while (bucket < _bounds.Length && value > _bounds[bucket])
            bucket++;
        Interlocked.Increment(ref _buckets[bucket]);
        double seen;
        do
        {
            seen = Volatile.Read(ref _sum);
        }
        while (Interlocked.CompareExchange(ref _sum, seen + value, seen) != seen && !double.IsNaN(seen));
    }

    public void Observe(TimeSpan duration) => Observe(duration.TotalSeconds);

    /// <summary>Cumulative counts, the last one is the total.</summary>
    internal long[] Snapshot()
    {
        var counts = new long[_buckets.Length];
        long total = 0;
        for (var i = 0; i < counts.Length; i++)
            counts[i] = total += Interlocked.Read(ref _buckets[i]);
        return counts;
    }
}
