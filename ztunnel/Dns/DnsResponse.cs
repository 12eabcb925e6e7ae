using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Mesh.Ztunnel.Dns;

/// <summary>An answer record as this proxy makes them: an address, a CNAME or a PTR.</summary>
internal readonly record struct DnsRecord(string Name, ushort Type, IPAddress? Address, string? Target)
{
    public static DnsRecord Of(string name, IPAddress address) =>
        new(name, address.AddressFamily == AddressFamily.InterNetwork ? DnsType.A : DnsType.Aaaa, address, null);

    public static DnsRecord Pointer(string name, string target) => new(name, DnsType.Ptr, null, target);

    public static DnsRecord Cname(string name, string target) => new(name, DnsType.Cname, null, target);
}

/// <summary>Writes answers (RFC 1035 4.1). Forwarded answers pass through untouched except for their id; this is for our own.</summary>
internal static class DnsResponse
{
    /// <summary>Short: a service may move at any time. The value of the Rust ztunnel.</summary>
    public const uint Ttl = 30;

    /// <param name="limit">Octets that fit; what does not fit is left out and TC set. TCP: 65535.</param>
    public static byte[] Write(DnsQuery query, DnsResponseCode code, bool authoritative, IReadOnlyList<DnsRecord> answers, int limit, bool recursionAvailable = true)
    {
        var message = new List<byte>(128);
        message.AddRange(stackalloc byte[DnsQuery.HeaderLength]);
        message.AddRange(query.Question);
        var hasQuestion = query.Question.Length > 0;
        // RFC 1035 4.1.4: later mentions of a name point to the first. Answers are in lower case, so the question only serves when it is.
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        if (hasQuestion && query.Question.AsSpan().IndexOfAnyInRange((byte)'A', (byte)'Z') < 0)
            places[query.Name] = DnsQuery.HeaderLength;

        var reserved = query.Edns is null ? 0 : 11;
        var written = 0;
        var truncated = false;
        foreach (var answer in answers)
        {
            var before = message.Count;
            if (!TryWriteRecord(message, answer, places))
            {
                message.RemoveRange(before, message.Count - before);
                foreach (var name in places.Where(p => p.Value >= before).Select(p => p.Key).ToList())
                    places.Remove(name);
                continue;
            }
            if (message.Count + reserved > limit)
            {
                message.RemoveRange(before, message.Count - before);
                truncated = true;
                break;
            }
            written++;
        }
        if (query.Edns is { } edns)
            WriteEdns(message, edns);

        var bytes = message.ToArray();
        BinaryPrimitives.WriteUInt16BigEndian(bytes, query.Id);
        var flags = 0x8000 | (query.Opcode << 11) | (authoritative ? 0x0400 : 0) | (truncated ? 0x0200 : 0)
            | (query.RecursionDesired ? 0x0100 : 0) | (recursionAvailable ? 0x0080 : 0) | (int)code;
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), (ushort)flags);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(4), (ushort)(hasQuestion ? 1 : 0));
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(6), (ushort)written);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(10), (ushort)(query.Edns is null ? 0 : 1));
        return bytes;
    }

    private static bool TryWriteRecord(List<byte> message, DnsRecord record, Dictionary<string, int> places)
    {
        if (!TryWriteName(message, record.Name, places))
            return false;
        Add16(message, record.Type);
        Add16(message, 1);
        Add16(message, (int)(Ttl >> 16));
        Add16(message, (int)(Ttl & 0xFFFF));
        var lengthAt = message.Count;
        Add16(message, 0);
        if (record.Address is { } address)
            message.AddRange(address.GetAddressBytes());
        else if (!TryWriteName(message, record.Target ?? string.Empty, places))
            return false;
        var length = message.Count - lengthAt - 2;
        message[lengthAt] = (byte)(length >> 8);
        message[lengthAt + 1] = (byte)length;
        return true;
    }

    private static bool TryWriteName(List<byte> message, string name, Dictionary<string, int> places)
    {
        if (places.TryGetValue(name, out var place))
        {
            Add16(message, 0xC000 | place);
            return true;
        }
        if (message.Count < 0x4000)
            places[name] = message.Count;
        return DnsName.TryWrite(message, name);
    }

    private static void WriteEdns(List<byte> message, DnsEdns edns)
    {
        message.Add(0);
        Add16(message, DnsType.Opt);
        Add16(message, edns.UsablePayloadSize);
        message.Add(0);
        message.Add(edns.Version);
        Add16(message, edns.DnssecOk ? 0x8000 : 0);
        Add16(message, 0);
    }

    private static void Add16(List<byte> message, int value)
    {
        message.Add((byte)(value >> 8));
        message.Add((byte)value);
    }
}
