using System.Diagnostics;

namespace Mesh.Http2.Hpack;

/// <summary>
/// RFC 7541, 2.3.2 and 4: newest entry first, evicted from the other end. A ring that grows with use, because most connections carry few
/// distinct fields.
/// </summary>
internal sealed class DynamicTable(int maxSize)
{
    private HeaderField[] _ring = [];
    private int _newest;

    public int Count { get; private set; }

    public int Size { get; private set; }

    public int MaxSize { get; private set; } = maxSize;

    /// <param name="index">0 is the newest.</param>
    public HeaderField this[int index]
    {
        get
        {
            Debug.Assert((uint)index < (uint)Count, "callers check the index: it is the peer's");
            return _ring[(_newest + index) & (_ring.Length - 1)];
        }
    }

    public void Insert(HeaderField field)
    {
        var size = field.Size;
        EvictDownTo(MaxSize - size);

        // 4.4: an entry larger than the table empties it and is not an error.
        if (size > MaxSize)
            return;

        if (Count == _ring.Length)
            Grow();
        _newest = (_newest - 1) & (_ring.Length - 1);
        _ring[_newest] = field;
        Count++;
        Size += size;
    }

    public void Resize(int maxSize)
    {
        MaxSize = maxSize;
        EvictDownTo(maxSize);
    }

    /// <summary>Position of the exact field, or -1; <paramref name="namePosition"/> is the newest position with the same name, or -1.</summary>
    /// <remarks>A scan: our encoder's table has at most 4096 / 33 entries, and differing lengths end nearly every comparison at once.</remarks>
    public int Find(string name, string value, out int namePosition)
    {
        namePosition = -1;
        for (var i = 0; i < Count; i++)
        {
            ref readonly var entry = ref _ring[(_newest + i) & (_ring.Length - 1)];
            if (!string.Equals(entry.Name, name, StringComparison.Ordinal))
                continue;
            if (namePosition < 0)
                namePosition = i;
            if (string.Equals(entry.Value, value, StringComparison.Ordinal))
                return i;
        }

        return -1;
    }

    private void EvictDownTo(int size)
    {
        while (Size > size && Count > 0)
        {
            ref var oldest = ref _ring[(_newest + Count - 1) & (_ring.Length - 1)];
            Size -= oldest.Size;
            oldest = default;
            Count--;
        }
    }

    private void Grow()
    {
        var larger = new HeaderField[Math.Max(8, _ring.Length * 2)];
        for (var i = 0; i < Count; i++)
            larger[i] = this[i];
        _ring = larger;
        _newest = 0;
    }
}
