using System.Buffers;
using System.Text;
using Mesh.Http2.Framing;

namespace Mesh.Http2.Hpack;

internal enum HpackStatus
{
    Ok,

    /// <summary>The block is valid and the table is in step, but the list exceeds the limit and is incomplete.</summary>
    ListTooLarge,

    /// <summary>RFC 7541 is violated: the table is out of step, the connection cannot go on.</summary>
    Malformed,
}

/// <summary>RFC 7541, decoding. Every block of a connection has to come through here, wanted or not, to keep the table in step.</summary>
internal sealed class HpackDecoder(int maxTableSize = Protocol.DefaultHeaderTableSize)
{
    // Above this a decoded string is built in a rented array instead of on the stack.
    private const int StackLimit = 512;

    private readonly DynamicTable _table = new(Protocol.DefaultHeaderTableSize);

    // Until the peer has acknowledged our setting it may use the protocol's default.
    private int _limit = Math.Max(maxTableSize, Protocol.DefaultHeaderTableSize);
    private bool _updateRequired;

    public int TableSize => _table.Size;

    public int TableCount => _table.Count;

    /// <summary>The peer has acknowledged our HEADER_TABLE_SIZE. A smaller one must be confirmed by the next block's first octets (4.2).</summary>
    public void ApplyLimit()
    {
        _limit = maxTableSize;
        _updateRequired = _table.MaxSize > maxTableSize;
    }

    /// <param name="block">A complete field block.</param>
    /// <param name="sink">Null: only keep the table in step.</param>
    public HpackStatus Decode(ReadOnlySpan<byte> block, HeaderList? sink, int maxListSize)
    {
        long listSize = 0;
        var fieldsSeen = false;
        while (!block.IsEmpty)
        {
            var first = block[0];
            if ((first & 0xe0) == 0x20)
            {
                // 6.3 | 0 | 0 | 1 |   Max size (5+)   |   only before the first field (4.2)
                if (fieldsSeen || !IntegerCodec.TryRead(ref block, 5, out var size) || size > _limit)
                    return HpackStatus.Malformed;
                _table.Resize(size);
                _updateRequired = false;
                continue;
            }

            if (_updateRequired)
                return HpackStatus.Malformed;
            fieldsSeen = true;
            if (!TryReadField(ref block, first, out var field))
                return HpackStatus.Malformed;
            listSize += field.Size;
            if (listSize <= maxListSize)
                sink?.Add(field);
        }

        return listSize <= maxListSize ? HpackStatus.Ok : HpackStatus.ListTooLarge;
    }

    private bool TryReadField(ref ReadOnlySpan<byte> block, byte first, out HeaderField field)
    {
        field = default;

        // 6.1   | 1 |        Index (7+)         |
        if ((first & 0x80) != 0)
            return IntegerCodec.TryRead(ref block, 7, out var index) && TryLookUp(index, out field);

        // 6.2.1 | 0 | 1 |      Index (6+)       |   with incremental indexing
        // 6.2.2 | 0 | 0 | 0 | 0 |  Index (4+)   |   without
        // 6.2.3 | 0 | 0 | 0 | 1 |  Index (4+)   |   never
        var indexed = (first & 0xc0) == 0x40;
        if (!IntegerCodec.TryRead(ref block, indexed ? 6 : 4, out var nameIndex))
            return false;
        string name;
        if (nameIndex != 0)
        {
            if (!TryLookUp(nameIndex, out var named))
                return false;
            name = named.Name;
        }
        else if (!TryReadString(ref block, out name))
        {
            return false;
        }

        if (!TryReadString(ref block, out var value))
            return false;
        field = new HeaderField(name, value, Sensitive: (first & 0xf0) == 0x10);
        if (indexed)
            _table.Insert(field);
        return true;
    }

    private bool TryLookUp(int index, out HeaderField field)
    {
        field = default;
        if (index == 0 || index > StaticTable.Count + _table.Count)
            return false;
        field = index <= StaticTable.Count ? StaticTable.Get(index) : _table[index - StaticTable.Count - 1];
        return true;
    }

    // 5.2 | H |    String Length (7+)     | then the octets
    private static bool TryReadString(ref ReadOnlySpan<byte> block, out string text)
    {
        text = string.Empty;
        if (block.IsEmpty)
            return false;
        var coded = (block[0] & 0x80) != 0;
        if (!IntegerCodec.TryRead(ref block, 7, out var length) || length > block.Length)
            return false;
        var octets = block[..length];
        block = block[length..];
        if (!coded)
        {
            text = Encoding.Latin1.GetString(octets);
            return true;
        }

        var room = Huffman.MaxDecodedLength(length);
        var rented = room > StackLimit ? ArrayPool<byte>.Shared.Rent(room) : null;
        var buffer = rented ?? stackalloc byte[StackLimit];
        var valid = Huffman.TryDecode(octets, buffer, out var written);
        if (valid)
            text = Encoding.Latin1.GetString(buffer[..written]);
        if (rented is not null)
            ArrayPool<byte>.Shared.Return(rented);
        return valid;
    }
}
