using System.Buffers.Binary;
using System.Globalization;

namespace Mesh.Meshctl.Wire;

/// <summary>What a recording of the wire between two nodes holds.</summary>
/// <param name="Packets">TCP packets with payload.</param>
/// <param name="Ports">Destination ports of new connections.</param>
/// <param name="Handshakes">Connections whose server answered the ClientHello.</param>
/// <param name="Tls13">Of these, those that chose TLS 1.3.</param>
/// <param name="Foreign">Byte streams that are not a sequence of TLS records, with the reason.</param>
internal sealed record WireFindings(int Packets, IReadOnlyCollection<int> Ports, int Handshakes, int Tls13, IReadOnlyList<string> Foreign)
{
    public bool OnlyTls13On(int port) => Packets > 0 && Foreign.Count == 0 && Handshakes > 0 && Tls13 == Handshakes && Ports.All(p => p == port);
}

/// <summary>Reads a pcap file (https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/) of an Ethernet link.</summary>
internal static class WireRecord
{
    private const int FileHeader = 24;
    private const int PacketHeader = 16;
    private const int EthernetHeader = 14;

    private const byte SynFlag = 0x02;
    private const byte AckFlag = 0x10;

    public static WireFindings Read(ReadOnlySpan<byte> file)
    {
        if (file.Length < FileHeader || BinaryPrimitives.ReadUInt32LittleEndian(file) is not (0xa1b2c3d4 or 0xa1b23c4d) || BinaryPrimitives.ReadUInt32LittleEndian(file[20..]) != 1)
            throw new InvalidDataException("this is not a little-endian Ethernet pcap file");

        var streams = new Dictionary<string, ByteStream>(StringComparer.Ordinal);
        var ports = new SortedSet<int>();
        var packets = 0;
        for (var at = FileHeader; at + PacketHeader <= file.Length;)
        {
            var length = (int)BinaryPrimitives.ReadUInt32LittleEndian(file[(at + 8)..]);
            at += PacketHeader;
            if (at + length > file.Length)
                break; // the recorder was stopped in the middle of a packet
            packets += Take(file.Slice(at, length), streams, ports);
            at += length;
        }

        List<string> foreign = [];
        int handshakes = 0, tls13 = 0;
        foreach (var (name, stream) in streams)
        {
            if (stream.FirstFault() is { } fault)
                foreign.Add($"{name}: {fault}");
            else if (stream.IsServerHello(out var version13))
            {
                handshakes++;
                tls13 += version13 ? 1 : 0;
            }
        }

        return new WireFindings(packets, ports, handshakes, tls13, foreign);
    }

    private static int Take(ReadOnlySpan<byte> frame, Dictionary<string, ByteStream> streams, SortedSet<int> ports)
    {
        // IPv4 (RFC 791) with TCP (protocol 6) only: the recorder was asked for nothing else.
        if (frame.Length < EthernetHeader + 20 || BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) != 0x0800 || frame[EthernetHeader + 9] != 6)
            return 0;
        var ip = frame[EthernetHeader..];
        var ipHeader = (ip[0] & 0x0f) * 4;
        var total = BinaryPrimitives.ReadUInt16BigEndian(ip[2..]);
        // A length of zero is what segmentation offload leaves for packets above 64 KiB.
        var tcp = total == 0 || total > ip.Length ? ip[ipHeader..] : ip[ipHeader..total];
        var header = (tcp[12] >> 4) * 4;
        int source = BinaryPrimitives.ReadUInt16BigEndian(tcp), destination = BinaryPrimitives.ReadUInt16BigEndian(tcp[2..]);
        var sequence = BinaryPrimitives.ReadUInt32BigEndian(tcp[4..]);
        // Only pods count: nodes speak to the control plane over the same link, with TLS of its own.
        if (!IsPod(ip[12..16]) || !IsPod(ip[16..20]))
            return 0;
        var name = string.Create(CultureInfo.InvariantCulture, $"{ip[12]}.{ip[13]}.{ip[14]}.{ip[15]}:{source} -> {ip[16]}.{ip[17]}.{ip[18]}.{ip[19]}:{destination}");
        if ((tcp[13] & SynFlag) != 0)
        {
            if ((tcp[13] & AckFlag) == 0)
                ports.Add(destination);
            streams[name] = new ByteStream(sequence + 1);
            return 0;
        }

        var payload = tcp[header..];
        if (payload.IsEmpty)
            return 0;
        // Without its SYN the stream began before the recording: its records cannot be told apart.
        if (streams.TryGetValue(name, out var stream))
            stream.Add(sequence, payload);
        return 1;
    }

    /// <summary>198.18.n.k with n from 1: the plan of <see cref="Topology.AddressPlan"/>.</summary>
    private static bool IsPod(ReadOnlySpan<byte> address) => address[0] == 198 && address[1] == 18 && address[2] != 0;

    /// <summary>One direction of one connection, in sequence.</summary>
    private sealed class ByteStream(uint next)
    {
        private readonly List<byte> _bytes = [];
        private uint _next = next;

        public void Add(uint sequence, ReadOnlySpan<byte> payload)
        {
            // Sent again, wholly or partly: only what is new counts. A gap is what the recorder lost; what follows is looked at no further.
            var known = (int)(_next - sequence);
            if (known < 0 || known >= payload.Length)
                return;
            _bytes.AddRange(payload[known..]);
            _next += (uint)(payload.Length - known);
        }

        /// <summary>RFC 8446 5.1: type 20-23, legacy version 0x0301 or 0x0303, at most 2^14 + 256 bytes.</summary>
        public string? FirstFault()
        {
            for (var at = 0; at + 5 <= _bytes.Count;)
            {
                var length = (_bytes[at + 3] << 8) | _bytes[at + 4];
                if (_bytes[at] is < 20 or > 23 || _bytes[at + 1] != 3 || _bytes[at + 2] is not (1 or 3) || length > 16_640)
                    return string.Create(CultureInfo.InvariantCulture, $"no TLS record at byte {at}");
                at += 5 + length;
            }

            return null;
        }

        public bool IsServerHello(out bool version13)
        {
            // Handshake record (22), message ServerHello (2); its supported_versions extension (43) says what was chosen (RFC 8446 4.2.1).
            version13 = false;
            if (_bytes.Count < 6 || _bytes[0] != 22 || _bytes[5] != 2)
                return false;
            var hello = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_bytes)[..Math.Min(_bytes.Count, 512)];
            version13 = hello.IndexOf((ReadOnlySpan<byte>)[0x00, 0x2b, 0x00, 0x02, 0x03, 0x04]) >= 0;
            return true;
        }
    }
}
