namespace Mesh.Model.Selection;

/// <summary>The worked-out choices of one service in one snapshot: a connection pays a lookup and a random number, not a walk over all endpoints.</summary>
/// <remarks>Any thread. Bounded, because callers of many nodes could otherwise fill it; a node's own callers differ by port at most.</remarks>
internal sealed class SelectionMemory
{
    private const int Limit = 64;

    private volatile SelectionTable[] _tables = [];

    public SelectionTable Get(ServiceEndpoints service, SelectionSource source, ushort port, SelectionPurpose purpose)
    {
        foreach (var table in _tables)
        {
            if (table.IsFor(source, port, purpose))
                return table;
        }

        var made = new SelectionTable(source, port, purpose, EndpointSelection.Preferred(service, source, port, purpose));

        // Two loops may both add: one table is lost or doubled, the next call makes it again. Cheaper than a lock for everybody.
        var tables = _tables;
        _tables = tables.Length < Limit ? [.. tables, made] : [made];
        return made;
    }
}

/// <summary>Candidates with their weights summed up, so that a choice is one binary search.</summary>
internal sealed class SelectionTable
{
    private readonly SelectionSource _source;
    private readonly ushort _port;
    private readonly SelectionPurpose _purpose;
    private readonly Candidate[] _candidates;
    private readonly long[] _upperBounds;
    private readonly long _total;

    public SelectionTable(SelectionSource source, ushort port, SelectionPurpose purpose, IReadOnlyList<Candidate> candidates)
    {
        _source = source;
        _port = port;
        _purpose = purpose;
        _candidates = [.. candidates.Where(c => c.Workload.Capacity > 0)];
        _upperBounds = new long[_candidates.Length];
        for (var i = 0; i < _candidates.Length; i++)
            _upperBounds[i] = _total += _candidates[i].Workload.Capacity;
    }

    public bool IsFor(SelectionSource source, ushort port, SelectionPurpose purpose) => port == _port && purpose == _purpose && source == _source;

    public Candidate? Pick(Random random)
    {
        if (_total == 0)
            return null;
        var ticket = random.NextInt64(_total);
        var at = Array.BinarySearch(_upperBounds, ticket);

        // Found: the ticket is the first one beyond that share. Not found: the complement is the first larger bound.
        return _candidates[at >= 0 ? at + 1 : ~at];
    }
}
