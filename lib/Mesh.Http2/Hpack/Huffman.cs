namespace Mesh.Http2.Hpack;

/// <summary>
/// The Huffman code of RFC 7541, appendix B. The code is canonical - within one length, codes ascend with the symbol, and a longer code
/// continues after the last shorter one - so the lengths alone describe it.
/// </summary>
internal static class Huffman
{
    private const int EndOfString = 256;
    private const int LongestCode = 30;
    private const int FastBits = 8;

    /// <summary>Octets that <paramref name="count"/> encoded octets can decode to: the shortest code has five bits.</summary>
    public static int MaxDecodedLength(int count) => (int)((long)count * 8 / 5);

    private static ReadOnlySpan<byte> Lengths =>
    [
        13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
        6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
        13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
        15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
        20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
        22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
        26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
        20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
        30,
    ];

    private static readonly uint[] Codes = new uint[EndOfString + 1];

    // Symbols in the order of their codes, and per length: the first code, how many there are, where they start in that order.
    private static readonly ushort[] Ordered = new ushort[EndOfString + 1];
    private static readonly uint[] FirstCode = new uint[LongestCode + 1];
    private static readonly int[] CodesOfLength = new int[LongestCode + 1];
    private static readonly int[] FirstPosition = new int[LongestCode + 1];

    // For each first octet: length << 8 | symbol of the code it starts with, 0 when that code is longer than the octet.
    private static readonly ushort[] Fast = new ushort[1 << FastBits];

    static Huffman()
    {
        uint code = 0;
        var position = 0;
        for (var length = 1; length <= LongestCode; length++)
        {
            code <<= 1;
            FirstCode[length] = code;
            FirstPosition[length] = position;
            for (var symbol = 0; symbol <= EndOfString; symbol++)
            {
                if (Lengths[symbol] != length)
                    continue;
                Codes[symbol] = code;
                Ordered[position++] = (ushort)symbol;
                if (length <= FastBits)
                    Fast.AsSpan((int)(code << (FastBits - length)), 1 << (FastBits - length)).Fill((ushort)((length << 8) | symbol));
                code++;
            }

            CodesOfLength[length] = position - FirstPosition[length];
        }
    }

    public static int EncodedLength(ReadOnlySpan<char> text)
    {
        long bits = 0;
        foreach (var c in text)
            bits += Lengths[(byte)c];
        return (int)((bits + 7) / 8);
    }

    /// <summary>Writes exactly <see cref="EncodedLength"/> octets.</summary>
    public static void Encode(ReadOnlySpan<char> text, Span<byte> target)
    {
        ulong pending = 0;
        var bits = 0;
        var length = 0;
        foreach (var c in text)
        {
            pending = (pending << Lengths[(byte)c]) | Codes[(byte)c];
            bits += Lengths[(byte)c];
            while (bits >= 8)
            {
                bits -= 8;
                target[length++] = (byte)(pending >> bits);
            }
        }

        // 5.2: the last octet is filled with the most significant bits of end-of-string, which are ones.
        if (bits > 0)
            target[length] = (byte)((pending << (8 - bits)) | (0xffu >> bits));
    }

    /// <summary>
    /// False: end-of-string inside, or padding that is not a strict prefix of it (5.2). <paramref name="target"/> has room for
    /// <see cref="MaxDecodedLength"/>.
    /// </summary>
    public static bool TryDecode(ReadOnlySpan<byte> source, Span<byte> target, out int written)
    {
        written = 0;
        ulong window = 0; // left-aligned
        var bits = 0;
        var next = 0;
        while (true)
        {
            while (bits <= 56 && next < source.Length)
            {
                window |= (ulong)source[next++] << (56 - bits);
                bits += 8;
            }

            int length, symbol = Fast[(int)(window >> (64 - FastBits))];
            if (symbol != 0)
            {
                length = symbol >> 8;
                symbol &= 0xff;
            }
            else
            {
                length = FindLongCode(window, out symbol);
            }

            if (length > bits)
                break;
            if (symbol == EndOfString)
                return false;
            target[written++] = (byte)symbol;
            window <<= length;
            bits -= length;
        }

        return bits < 8 && window == ~(ulong.MaxValue >> bits);
    }

    private static int FindLongCode(ulong window, out int symbol)
    {
        for (var length = FastBits + 1; length <= LongestCode; length++)
        {
            var offset = (uint)(window >> (64 - length)) - FirstCode[length];
            if (offset < (uint)CodesOfLength[length])
            {
                symbol = Ordered[FirstPosition[length] + (int)offset];
                return length;
            }
        }

        symbol = EndOfString;
        return LongestCode;
    }
}
