namespace Mesh.Waypoint.Routing;

/// <summary>Chooses one of several items in proportion to its weight; items of weight 0 are never chosen unless there is only one (reference 1.4).</summary>
internal sealed class WeightedPick<T>
{
    private readonly T[] _items;
    private readonly ulong[] _upTo;

    public WeightedPick(IReadOnlyList<(T Item, uint Weight)> items)
    {
        if (items.Count == 1)
        {
            _items = [items[0].Item];
            _upTo = [1];
            return;
        }

        var kept = items.Where(i => i.Weight > 0).ToList();
        _items = [.. kept.Select(i => i.Item)];
        _upTo = new ulong[kept.Count];
        var sum = 0UL;
        for (var i = 0; i < kept.Count; i++)
            _upTo[i] = sum += kept[i].Weight;
    }

    public IReadOnlyList<T> Items => _items;

    public bool IsEmpty => _items.Length == 0;

    public T Pick(Random random)
    {
        if (_items.Length == 1)
            return _items[0];
        var value = (ulong)random.NextInt64((long)_upTo[^1]);
        for (var i = 0; ; i++)
        {
            if (value < _upTo[i])
                return _items[i];
        }
    }
}
