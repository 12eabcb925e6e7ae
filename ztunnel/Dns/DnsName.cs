using System.Buffers.Binary;
using System.Text;

namespace Mesh.Ztunnel.Dns;

/// <summary>Names on the wire (RFC 1035 3.1 and 4.1.4): labels, compression pointers, at most 255 octets.</summary>
internal static class DnsName
{
    private const int MaxNameLength = 255;
    private const int MaxLabelLength = 63;

    /// <summary>Each pointer must point before the place that used it, so a name ends; this bounds the work for one name besides.</summary>
    private const int MaxJumps = 32;

    /// <summary>Stands for a dot inside a label: in presentation form it would look like the end of one, and two names would become equal.</summary>
    public const char DotInLabel = '\0';

    /// <summary>Reads a name in presentation form, lower case, without the final dot ("" is the root).</summary>
    /// <param name="position">In: where the name begins. Out: the octet behind it.</param>
    public static bool TryRead(ReadOnlySpan<byte> message, ref int position, out string name)
    {
        name = string.Empty;
        var text = new StringBuilder(64);
        var at = position;
        var jumps = 0;
        var end = -1;
        while (true)
        {
            if (at >= message.Length)
                return false;
            var length = message[at];
            if ((length & 0xC0) == 0xC0)
            {
                if (at + 1 >= message.Length || ++jumps > MaxJumps)
                    return false;
                var target = BinaryPrimitives.ReadUInt16BigEndian(message[at..]) & 0x3FFF;
                if (end < 0)
                    end = at + 2;
                // The header is no place for a name: its octets change between question and answer.
                if (target >= at || target < DnsQuery.HeaderLength)
                    return false;
                at = target;
                continue;
            }
            if (length > MaxLabelLength)
                return false; // 0x40 and 0x80 are extended label types that nobody uses
            at++;
            if (length == 0)
                break;
            if (at + length > message.Length || text.Length + length + 1 > MaxNameLength)
                return false;
            if (text.Length > 0)
                text.Append('.');
            foreach (var octet in message.Slice(at, length))
                text.Append(octet is >= (byte)'A' and <= (byte)'Z' ? (char)(octet | 0x20) : octet == '.' ? DotInLabel : (char)octet);
            at += length;
        }
        position = end < 0 ? at : end;
        name = text.ToString();
        return true;
    }

    /// <summary>Appends a name without compression.</summary>
    public static bool TryWrite(List<byte> message, string name)
    {
        if (name.Length > MaxNameLength - 2)
            return false;
        if (name.Length > 0)
        {
            foreach (var label in name.Split('.'))
            {
                if (label.Length is 0 or > MaxLabelLength)
                    return false;
                message.Add((byte)label.Length);
                foreach (var letter in label)
                    message.Add((byte)letter);
            }
        }
        message.Add(0);
        return true;
    }
}
