namespace Mesh.Identity.Fetching;

/// <summary>What is to be fetched: items that wait for their time, and items that are due, most urgent first, then by time.</summary>
/// <remarks>Used under the cache's gate. Re-queueing an entry voids its former item by the stamp.</remarks>
internal sealed class FetchQueue
{
    private readonly PriorityQueue<Item, DateTimeOffset> _later = new();
    private readonly PriorityQueue<Item, (int Urgency, DateTimeOffset Due, long Stamp)> _ready = new();
    private long _stamps;

    public DateTimeOffset? NextDue
    {
        get
        {
            while (_later.TryPeek(out var item, out var due))
            {
                if (!item.IsVoid)
                    return due;
                _later.Dequeue();
            }

            return null;
        }
    }

    /// <summary>How many are due and wait for a free place (void items included: they are few and the limit is a rough one).</summary>
    public int ReadyCount => _ready.Count;

    public void Add(CertificateEntry entry, CertificatePriority priority, DateTimeOffset due)
    {
        entry.Priority = priority;
        entry.Stamp = ++_stamps;
        _later.Enqueue(new(entry, entry.Stamp, due), due);
    }

    public void Remove(CertificateEntry entry) => entry.Stamp = ++_stamps;

    /// <summary>What has come due by now may be taken.</summary>
    public void MoveDue(DateTimeOffset now)
    {
        while (NextDue <= now)
        {
            var item = _later.Dequeue();
            _ready.Enqueue(item, (-(int)item.Entry.Priority, item.Due, item.Stamp));
        }
    }

    /// <summary>The most urgent due entry, if it is at least that urgent.</summary>
    public CertificateEntry? Take(CertificatePriority atLeast)
    {
        while (_ready.TryPeek(out var item, out _))
        {
            if (!item.IsVoid && item.Entry.Priority < atLeast)
                return null;
            _ready.Dequeue();
            if (!item.IsVoid)
                return item.Entry;
        }

        return null;
    }

    private readonly record struct Item(CertificateEntry Entry, long Stamp, DateTimeOffset Due)
    {
        public bool IsVoid => Entry.Stamp != Stamp;
    }
}
