namespace Mesh.Runtime.Decisions;

/// <summary>The last decisions of one process: a fixed number of them, written by every loop without a lock, read by <c>GET /decisions</c>.</summary>
/// <remarks>A reader may miss a slot that is just being replaced; it never sees half a record, because a record is immutable once it is in.</remarks>
public sealed class DecisionRing<T>(int capacity)
    where T : class, IDecision
{
    private readonly T?[] _slots = new T?[capacity > 0 ? capacity : throw new ArgumentOutOfRangeException(nameof(capacity), capacity, "a ring without slots: leave it out instead")];
    private long _next;

    public int Capacity => _slots.Length;

    // any thread
    public void Add(T decision)
    {
        var number = Interlocked.Increment(ref _next) - 1;
        Volatile.Write(ref _slots[number % _slots.Length], decision);
    }

    /// <summary>Newest first. Any thread.</summary>
    public IEnumerable<T> Newest()
    {
        var next = Interlocked.Read(ref _next);
        for (var number = next - 1; number >= 0 && number >= next - _slots.Length; number--)
        {
            if (Volatile.Read(ref _slots[number % _slots.Length]) is { } decision)
                yield return decision;
        }
    }

    /// <summary>Newest first, as many as the query asks for.</summary>
    public IEnumerable<T> Find(DecisionQuery query) => Newest().Where(d => query.Matches(d)).Take(query.Limit);
}
