using System.Collections.Frozen;
using System.Text;
using Mesh.Http2.Framing;

namespace Mesh.Http2.Hpack;

/// <summary>RFC 7541, encoding.</summary>
internal sealed class HpackEncoder
{
    /// <summary>However much the peer offers: more would cost us memory per connection and buy nothing for a handful of fields.</summary>
    public const int LargestTable = 4096;

    // Values that hardly ever repeat would only push useful entries out. The first one is still inserted, for its name.
    private static readonly FrozenSet<string> Volatile = new[]
    {
        "traceparent", "tracestate", "forwarded", "x-request-id", "x-forwarded-for", ":path", "content-length", "date", "etag", "age",
        "last-modified", "if-modified-since", "if-none-match", "content-range", "range", "location", "referer", "grpc-timeout",
    }.ToFrozenSet(StringComparer.Ordinal);

    private readonly DynamicTable _table = new(LargestTable);

    // 4.2: a limit that went down and up again between two blocks has to be announced as both.
    private int _lowestPending = int.MaxValue;

    public int TableSize => _table.Size;

    public int TableLimit => _table.MaxSize;

    /// <summary>The peer's HEADER_TABLE_SIZE.</summary>
    public void SetLimit(uint size)
    {
        var limit = (int)Math.Min(size, LargestTable);
        if (limit == _table.MaxSize)
            return;
        _lowestPending = Math.Min(_lowestPending, limit);
        _table.Resize(limit);
    }

    /// <summary>Room that <see cref="Encode"/> needs at most.</summary>
    public static int MaxLength(HeaderList headers)
    {
        var length = 2 * IntegerCodec.MaxLength;
        foreach (ref readonly var field in headers.AsSpan())
            length += field.Name.Length + field.Value.Length + (3 * IntegerCodec.MaxLength);
        return length;
    }

    public int Encode(HeaderList headers, Span<byte> target)
    {
        var length = WriteSizeUpdates(target);
        foreach (ref readonly var field in headers.AsSpan())
            length += WriteField(target[length..], in field);
        return length;
    }

    private int WriteSizeUpdates(Span<byte> target)
    {
        if (_lowestPending == int.MaxValue)
            return 0;
        var length = IntegerCodec.Write(target, 5, 0x20, _lowestPending);
        if (_lowestPending < _table.MaxSize)
            length += IntegerCodec.Write(target[length..], 5, 0x20, _table.MaxSize);
        _lowestPending = int.MaxValue;
        return length;
    }

    private int WriteField(Span<byte> target, in HeaderField field)
    {
        var (index, nameIndex) = Find(field.Name, field.Value);
        if (field.Sensitive)
            return WriteLiteral(target, 4, 0x10, nameIndex, in field);
        if (index != 0)
            return IntegerCodec.Write(target, 7, 0x80, index);
        if (field.Size > _table.MaxSize || (nameIndex != 0 && Volatile.Contains(field.Name)))
            return WriteLiteral(target, 4, 0x00, nameIndex, in field);

        var length = WriteLiteral(target, 6, 0x40, nameIndex, in field);
        _table.Insert(field);
        return length;
    }

    private (int Index, int NameIndex) Find(string name, string value)
    {
        var index = StaticTable.Find(name, value, out var nameIndex);
        if (index != 0)
            return (index, nameIndex);
        var position = _table.Find(name, value, out var namePosition);
        if (nameIndex == 0 && namePosition >= 0)
            nameIndex = StaticTable.Count + 1 + namePosition;
        return (position < 0 ? 0 : StaticTable.Count + 1 + position, nameIndex);
    }

    private static int WriteLiteral(Span<byte> target, int prefixBits, byte pattern, int nameIndex, in HeaderField field)
    {
        var length = IntegerCodec.Write(target, prefixBits, pattern, nameIndex);
        if (nameIndex == 0)
            length += WriteString(target[length..], field.Name);
        return length + WriteString(target[length..], field.Value);
    }

    private static int WriteString(Span<byte> target, string text)
    {
        var coded = Huffman.EncodedLength(text);
        if (coded <= text.Length)
        {
            var prefix = IntegerCodec.Write(target, 7, 0x80, coded);
            Huffman.Encode(text, target.Slice(prefix, coded));
            return prefix + coded;
        }

        var plain = IntegerCodec.Write(target, 7, 0x00, text.Length);
        Encoding.Latin1.GetBytes(text, target[plain..]);
        return plain + text.Length;
    }
}
