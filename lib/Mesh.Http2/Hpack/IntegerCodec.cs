namespace Mesh.Http2.Hpack;

/// <summary>
/// RFC 7541, 5.1: a prefix of N bits, then seven bits per octet, lowest first.
/// <code>
///    0   1   2   3   4   5   6   7
///  | ?   ?   ? | 1   1   1   1   1 |   the prefix is all ones: the value goes on
///  | 1 |    Value-(2^N-1) LSB      |
///  | 0 |    Value-(2^N-1) MSB      |
/// </code>
/// </summary>
internal static class IntegerCodec
{
    /// <summary>Nothing in HPACK needs more; larger values are refused before they can overflow.</summary>
    public const int MaxValue = (1 << 28) - 1;

    /// <summary>Longest encoding of a value up to <see cref="MaxValue"/>.</summary>
    public const int MaxLength = 6;

    /// <summary>Reads from the front of <paramref name="source"/> and shortens it. False: truncated or too large.</summary>
    public static bool TryRead(ref ReadOnlySpan<byte> source, int prefixBits, out int value)
    {
        value = 0;
        if (source.IsEmpty)
            return false;
        var mask = (1 << prefixBits) - 1;
        value = source[0] & mask;
        if (value < mask)
        {
            source = source[1..];
            return true;
        }

        long sum = value;
        for (int i = 1, shift = 0; i < source.Length && shift <= 28; i++, shift += 7)
        {
            sum += (long)(source[i] & 0x7f) << shift;
            if (sum > MaxValue)
                return false;
            if ((source[i] & 0x80) == 0)
            {
                value = (int)sum;
                source = source[(i + 1)..];
                return true;
            }
        }

        return false;
    }

    /// <param name="pattern">The bits before the prefix.</param>
    public static int Write(Span<byte> target, int prefixBits, byte pattern, int value)
    {
        var mask = (1 << prefixBits) - 1;
        if (value < mask)
        {
            target[0] = (byte)(pattern | value);
            return 1;
        }

        target[0] = (byte)(pattern | mask);
        value -= mask;
        var length = 1;
        while (value >= 0x80)
        {
            target[length++] = (byte)(0x80 | (value & 0x7f));
            value >>= 7;
        }

        target[length++] = (byte)value;
        return length;
    }
}
