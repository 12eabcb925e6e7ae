namespace Mesh.Xds.Server;

/// <summary>One publication: what changed, and how many streams have not answered it yet.</summary>
internal sealed class XdsPublication(long version, IReadOnlyList<XdsChange> changes, long since, int unanswered)
{
    public long Version { get; } = version;
    public IReadOnlyList<XdsChange> Changes { get; } = changes;
    /// <summary>When its cause was noticed; 0: not measured.</summary>
    public long Since { get; } = since;
    public int Unanswered { get; set; } = unanswered;
}

/// <summary>The last publications of a table, in a ring, and the names that were removed. The table's lock guards it.</summary>
/// <remarks>
/// It is why a wildcard stream costs the server one number and no set of names: its position. Streams at the same position share one
/// difference, and with it one encoded response.
/// </remarks>
internal sealed class XdsPublicationLog(int capacity, int maximumGone)
{
    // Under load streams lag by one or two publications; more than a few different lags at once mean clients of very different speed.
    private const int SharedDifferences = 8;

    private readonly XdsPublication?[] _ring = new XdsPublication?[capacity];
    private readonly Dictionary<string, long> _gone = new(StringComparer.Ordinal);
    private readonly Queue<(string Name, long Version)> _goneOrder = new();
    private readonly XdsDifference?[] _shared = new XdsDifference?[SharedDifferences];
    private long _head;
    private long _forgotten;
    private int _nextShared;

    public void Add(XdsPublication publication)
    {
        _head = publication.Version;
        _ring[_head % capacity] = publication;
        foreach (var change in publication.Changes)
        {
            if (change.After is not null)
            {
                _gone.Remove(change.Name);
                continue;
            }

            _gone[change.Name] = _head;
            _goneOrder.Enqueue((change.Name, _head));
        }

        while (_goneOrder.Count > maximumGone)
        {
            var (name, version) = _goneOrder.Dequeue();
            // An older entry of a name that came back, or that was removed again since, says nothing any more.
            if (_gone.TryGetValue(name, out var last) && last == version)
            {
                _gone.Remove(name);
                _forgotten = version;
            }
        }
    }

    /// <summary>Whether a stream at this position can be brought up to date from the ring.</summary>
    public bool Reaches(long position) => position >= _head - capacity && position <= _head;

    public IEnumerable<XdsPublication> Between(long from, long to)
    {
        for (var version = Math.Max(from, _head - capacity) + 1; version <= Math.Min(to, _head); version++)
        {
            if (_ring[version % capacity] is { } publication)
                yield return publication;
        }
    }

    /// <summary>Null if <paramref name="from"/> is before the ring.</summary>
    public XdsDifference? Difference(long from, long to)
    {
        if (!Reaches(from))
            return null;
        foreach (var known in _shared)
        {
            if (known is not null && known.From == from && known.To == to)
                return known;
        }

        var difference = Merge(from, to);
        _shared[_nextShared++ % SharedDifferences] = difference;
        return difference;
    }

    /// <summary>Names that were removed after <paramref name="from"/> and are not back. Null: some of them are forgotten.</summary>
    public IReadOnlyList<string>? GoneSince(long from) => from < _forgotten ? null : [.. _gone.Where(g => g.Value > from).Select(g => g.Key)];

    private XdsDifference Merge(long from, long to)
    {
        if (to == from + 1)
            return Split(from, to, _ring[to % capacity]!.Changes, _ring[to % capacity]!.Since);
        long since = 0;
        var last = new Dictionary<string, XdsChange>(StringComparer.Ordinal);
        foreach (var publication in Between(from, to))
        {
            since = since == 0 ? publication.Since : since;
            foreach (var change in publication.Changes)
                last[change.Name] = change;
        }

        return Split(from, to, last.Values, since);
    }

    private static XdsDifference Split(long from, long to, IEnumerable<XdsChange> changes, long since)
    {
        var resources = new List<XdsResource>();
        var removed = new List<string>();
        foreach (var change in changes)
        {
            if (change.After is { } resource)
                resources.Add(resource);
            else
                removed.Add(change.Name);
        }

        resources.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        return new XdsDifference(from, to, resources, removed, since);
    }
}

/// <summary>What changed between two versions of a table, and the response that says so to every wildcard stream.</summary>
internal sealed class XdsDifference(long from, long to, IReadOnlyList<XdsResource> resources, IReadOnlyList<string> removed, long since)
{
    private XdsResponse? _response;

    public long From { get; } = from;
    public long To { get; } = to;
    public IReadOnlyList<XdsResource> Resources { get; } = resources;
    public IReadOnlyList<string> Removed { get; } = removed;
    /// <summary>When the first of the changes was noticed; 0: not measured.</summary>
    public long Since { get; } = since;

    /// <summary>Made once. Two streams that ask at the same moment may both make it; they are equal.</summary>
    public XdsResponse Response(string typeUrl) => Volatile.Read(ref _response) ?? Make(typeUrl);

    private XdsResponse Make(string typeUrl)
    {
        var made = new XdsResponse(typeUrl, XdsNonce.Shared(To), To, Resources, Removed, withAliases: false);
        Volatile.Write(ref _response, made);
        return made;
    }
}
