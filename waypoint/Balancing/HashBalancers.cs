namespace Mesh.Waypoint.Balancing;

/// <summary>
/// A ring of points, each endpoint having a number that depends on its weight and on the wanted size only - not on how many other endpoints there
/// are. So an endpoint that goes moves only its own keys and one that comes takes keys but never moves them between others.
/// </summary>
internal sealed class HashRing : IBalancer
{
    // A minimum of points per endpoint keeps the shares even; the maximum bounds the memory of one ring.
    private const int FewestPoints = 64;
    private const int MostPoints = 8192;
    private readonly EndpointState[] _endpoints;
    private readonly ulong[] _points;
    private readonly int[] _owners;

    public HashRing(EndpointState[] endpoints, ulong minimumSize)
    {
        _endpoints = endpoints;

        // Envoy divides the minimum size (1024) by the endpoints there are; eight is a usual number of them, and a constant keeps the ring monotone.
        var perWeight = (int)Math.Clamp((minimumSize == 0 ? 1024 : minimumSize) / 8, FewestPoints, MostPoints);
        var points = new List<(ulong Point, int Owner)>();
        for (var i = 0; i < endpoints.Length; i++)
        {
            var count = Math.Min((long)perWeight * endpoints[i].Weight, MostPoints);
            for (var n = 0; n < count; n++)
                points.Add((XxHash64.Hash($"{endpoints[i].Text}_{n}"), i));
        }

        points.Sort((a, b) => a.Point != b.Point ? a.Point.CompareTo(b.Point) : string.CompareOrdinal(endpoints[a.Owner].Text, endpoints[b.Owner].Text));
        _points = [.. points.Select(p => p.Point)];
        _owners = [.. points.Select(p => p.Owner)];
    }

    public EndpointState Pick(ulong? hash, Random random)
    {
        if (hash is not { } key)
            return _endpoints[random.Next(_endpoints.Length)];
        var index = Array.BinarySearch(_points, key);
        if (index < 0)
            index = ~index;
        return _endpoints[_owners[index == _points.Length ? 0 : index]];
    }
}

/// <summary>Maglev (Google, NSDI 2016, section 3.4): a prime table filled by the endpoints' permutations in turn, weighted.</summary>
internal sealed class MaglevTable : IBalancer
{
    public const int DefaultSize = 65537;
    private readonly EndpointState[] _endpoints;
    private readonly int[] _table;

    public MaglevTable(EndpointState[] endpoints, ulong size)
    {
        // Sorted by name, so that the order in which the control plane lists them does not matter.
        _endpoints = [.. endpoints.OrderBy(e => e.Text, StringComparer.Ordinal)];
        var length = (ulong)(size == 0 ? DefaultSize : (int)size);
        _table = new int[length];
        Array.Fill(_table, -1);
        var offset = new ulong[_endpoints.Length];
        var skip = new ulong[_endpoints.Length];
        var next = new ulong[_endpoints.Length];
        var credit = new double[_endpoints.Length];
        double heaviest = _endpoints.Max(e => e.Weight);
        for (var i = 0; i < _endpoints.Length; i++)
        {
            var hash = XxHash64.Hash(_endpoints[i].Text);
            offset[i] = hash % length;
            skip[i] = (XxHash64.Hash(BitConverter.GetBytes(hash), seed: 1) % (length - 1)) + 1;
        }

        for (ulong filled = 0; filled < length;)
        {
            for (var i = 0; i < _endpoints.Length && filled < length; i++)
            {
                // An endpoint of half the heaviest weight takes every second turn.
                credit[i] += _endpoints[i].Weight / heaviest;
                if (credit[i] < 1)
                    continue;
                credit[i] -= 1;
                ulong slot;
                do
                {
                    slot = (offset[i] + (skip[i] * next[i]++)) % length;
                }
                while (_table[slot] >= 0);
                _table[slot] = i;
                filled++;
            }
        }
    }

    public EndpointState Pick(ulong? hash, Random random) =>
        hash is { } key ? _endpoints[_table[key % (ulong)_table.Length]] : _endpoints[random.Next(_endpoints.Length)];
}
