using System.Buffers.Binary;

namespace Mesh.Ztunnel.Dns;

internal static class DnsClass
{
    /// <summary>The Internet; other classes are questions to the server itself or to history.</summary>
    public const ushort In = 1;
}

internal static class DnsType
{
    public const ushort A = 1;
    public const ushort Cname = 5;
    public const ushort Ptr = 12;
    public const ushort Aaaa = 28;
    public const ushort Opt = 41;

    public static string Text(ushort type) => type switch
    {
        A => "A",
        Cname => "CNAME",
        Ptr => "PTR",
        Aaaa => "AAAA",
        2 => "NS",
        6 => "SOA",
        15 => "MX",
        16 => "TXT",
        33 => "SRV",
        64 => "SVCB",
        65 => "HTTPS",
        255 => "ANY",
        _ => $"TYPE{type}",
    };
}

internal enum DnsResponseCode : byte
{
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
}

/// <summary>What the proxy needs to know of a query: header, the one question, and the EDNS part (RFC 6891) to echo.</summary>
internal sealed record DnsQuery(ushort Id, byte Opcode, bool IsResponse, bool RecursionDesired, string Name, ushort Type, ushort Class, DnsEdns? Edns)
{
    public const int HeaderLength = 12;

    /// <summary>The question as it came, echoed byte for byte (its letter case may be a token of the asker).</summary>
    public byte[] Question { get; private init; } = [];

    /// <summary>Returns null for what is not a DNS message at all (shorter than a header); a broken question gives <see cref="Name"/> null through <paramref name="malformed"/>.</summary>
    public static DnsQuery? Parse(ReadOnlySpan<byte> message, out bool malformed)
    {
        malformed = false;
        if (message.Length < HeaderLength)
            return null;
        var id = BinaryPrimitives.ReadUInt16BigEndian(message);
        var flags = BinaryPrimitives.ReadUInt16BigEndian(message[2..]);
        var questions = BinaryPrimitives.ReadUInt16BigEndian(message[4..]);
        var records = BinaryPrimitives.ReadUInt16BigEndian(message[6..]) + BinaryPrimitives.ReadUInt16BigEndian(message[8..]);
        var additional = BinaryPrimitives.ReadUInt16BigEndian(message[10..]);
        var header = new DnsQuery(id, (byte)((flags >> 11) & 0xF), (flags & 0x8000) != 0, (flags & 0x0100) != 0, string.Empty, 0, 0, null);

        var position = HeaderLength;
        if (questions != 1 || !DnsName.TryRead(message, ref position, out var name) || position + 4 > message.Length)
        {
            malformed = true;
            return header;
        }
        var type = BinaryPrimitives.ReadUInt16BigEndian(message[position..]);
        var dnsClass = BinaryPrimitives.ReadUInt16BigEndian(message[(position + 2)..]);
        position += 4;
        var question = message[HeaderLength..position].ToArray();

        DnsEdns? edns = null;
        for (var i = 0; i < records + additional; i++)
        {
            if (!DnsName.TryRead(message, ref position, out _) || position + 10 > message.Length)
            {
                malformed = true;
                break;
            }
            var recordType = BinaryPrimitives.ReadUInt16BigEndian(message[position..]);
            if (recordType == DnsType.Opt)
            {
                // RFC 6891 6.1.2: CLASS is the payload size, TTL is extended rcode, version, DO and zeros.
                edns = new DnsEdns(
                    BinaryPrimitives.ReadUInt16BigEndian(message[(position + 2)..]),
                    message[position + 5],
                    (message[position + 6] & 0x80) != 0);
            }
            position += 10 + BinaryPrimitives.ReadUInt16BigEndian(message[(position + 8)..]);
            if (position > message.Length)
            {
                malformed = true;
                break;
            }
        }
        return header with { Name = name, Type = type, Class = dnsClass, Edns = edns, Question = question };
    }
}

/// <param name="PayloadSize">As the client sent it.</param>
internal sealed record DnsEdns(ushort PayloadSize, byte Version, bool DnssecOk)
{
    /// <summary>RFC 6891 6.2.3: values lower than 512 are treated as 512.</summary>
    public int UsablePayloadSize => Math.Max(512, (int)PayloadSize);
}
