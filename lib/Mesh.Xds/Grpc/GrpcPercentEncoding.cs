using System.Text;

namespace Mesh.Xds.Grpc;

/// <summary>The encoding of <c>grpc-message</c>: UTF-8, with every byte outside 0x20-0x7E and '%' written as %XX (PROTOCOL-HTTP2.md, "Responses").</summary>
public static class GrpcPercentEncoding
{
    public static string Encode(string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        if (Array.TrueForAll(utf8, IsPlain))
            return text;
        var encoded = new StringBuilder(utf8.Length + 16);
        foreach (var b in utf8)
        {
            if (IsPlain(b))
                encoded.Append((char)b);
            else
                encoded.Append('%').Append(Hex(b >> 4)).Append(Hex(b & 15));
        }

        return encoded.ToString();
    }

    /// <summary>Never fails: the specification forbids losing the status because its text is badly encoded.</summary>
    public static string Decode(string text)
    {
        if (!text.Contains('%', StringComparison.Ordinal))
            return text;
        var bytes = new List<byte>(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '%' && i + 2 < text.Length && char.IsAsciiHexDigit(text[i + 1]) && char.IsAsciiHexDigit(text[i + 2]))
            {
                bytes.Add(Convert.ToByte(text.Substring(i + 1, 2), 16));
                i += 2;
            }
            else
            {
                bytes.AddRange(Encoding.UTF8.GetBytes(text[i].ToString()));
            }
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    private static bool IsPlain(byte b) => b is >= 0x20 and <= 0x7E and not (byte)'%';

    private static char Hex(int nibble) => "0123456789ABCDEF"[nibble];
}
