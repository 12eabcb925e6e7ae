using System.Collections.Concurrent;

namespace Mesh.Waypoint.RateLimiting;

/// <summary>
/// The buckets of one rule by what is counted apart. Their number is bounded: clients choose the values, so without a bound they would choose the
/// waypoint's memory. Above it the buckets unused for longest go, a share at a time.
/// </summary>
internal sealed class BucketTable(BucketRate rate, int maximum)
{
    // Of a full table, so that one new key does not cost a search through all of them each time.
    private const int EvictedShare = 8;

    private readonly ConcurrentDictionary<string, Entry> _buckets = new(StringComparer.Ordinal);
    private readonly Lock _evicting = new();
    private int _count;

    public BucketRate Rate => rate;

    public int Count => Volatile.Read(ref _count);

    public BucketResult Take(string key, long now)
    {
        if (!_buckets.TryGetValue(key, out var entry))
        {
            entry = new Entry(new TokenBucket(rate));
            if (_buckets.TryAdd(key, entry))
            {
                if (Interlocked.Increment(ref _count) > maximum)
                    Evict();
            }
            else
            {
                entry = _buckets.GetValueOrDefault(key) ?? entry;
            }
        }

        Volatile.Write(ref entry.LastUsed, now);
        return entry.Bucket.Take(now);
    }

    private void Evict()
    {
        if (!_evicting.TryEnter())
            return;
        try
        {
            foreach (var (key, _) in _buckets.OrderBy(b => Volatile.Read(ref b.Value.LastUsed)).Take(Math.Max(1, maximum / EvictedShare)).ToList())
            {
                if (_buckets.TryRemove(key, out _))
                    Interlocked.Decrement(ref _count);
            }
        }
        finally
        {
            _evicting.Exit();
        }
    }

    private sealed class Entry(TokenBucket bucket)
    {
        // A new entry is the last that may go.
        public long LastUsed = long.MaxValue;

        public TokenBucket Bucket { get; } = bucket;
    }
}
