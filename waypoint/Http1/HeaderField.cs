namespace Mesh.Waypoint.Http1;

/// <summary>One field line. Characters are bytes (Latin-1): what came in goes out bit by bit.</summary>
internal readonly record struct HeaderField(string Name, string Value);

/// <summary>The field lines of one message in the order they came; reused by its connection from message to message.</summary>
internal sealed class FieldList
{
    private HeaderField[] _items = new HeaderField[16];

    public int Count { get; private set; }

    public ReadOnlySpan<HeaderField> Items => _items.AsSpan(0, Count);

    public void Add(string name, string value)
    {
        if (Count == _items.Length)
            Array.Resize(ref _items, Count * 2);
        _items[Count++] = new HeaderField(name, value);
    }

    /// <summary>RFC 9112 5.2: a folded line continues the value before it.</summary>
    public void ExtendLast(string continuation) => _items[Count - 1] = _items[Count - 1] with { Value = _items[Count - 1].Value + continuation };

    /// <returns>The first value of that name; null where there is none.</returns>
    public string? Find(string name)
    {
        foreach (var item in Items)
        {
            if (item.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
                return item.Value;
        }

        return null;
    }

    public bool Has(string name) => Find(name) is not null;

    public void Clear()
    {
        Array.Clear(_items, 0, Count);
        Count = 0;
    }
}
