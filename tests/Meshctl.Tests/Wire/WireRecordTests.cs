using System.Buffers.Binary;
using System.Text;

using Mesh.Meshctl.Wire;

namespace Mesh.Meshctl.Tests.Wire;

public sealed class WireRecordTests
{
    private const byte Syn = 0x02;
    private const byte Ack = 0x10;

    private static readonly byte[] ClientHello = [22, 3, 1, 0, 4, 1, 0, 0, 0];
    private static readonly byte[] ServerHello13 = [22, 3, 3, 0, 10, 2, 0, 0, 6, 0x00, 0x2b, 0x00, 0x02, 0x03, 0x04];
    private static readonly byte[] ServerHello12 = [22, 3, 3, 0, 4, 2, 0, 0, 0];

    private readonly MemoryStream _file = new();

    public WireRecordTests()
    {
        var header = new byte[24];
        BinaryPrimitives.WriteUInt32LittleEndian(header, 0xa1b2c3d4);
        header[20] = 1;
        _file.Write(header);
    }

    [Fact]
    public void Read_Tls13OnTheTunnelPort_Holds()
    {
        Connection(15008, ClientHello, ServerHello13);
        var found = WireRecord.Read(_file.ToArray());
        Assert.True(found.OnlyTls13On(15008), found.ToString());
        Assert.Equal(1, found.Handshakes);
    }

    [Fact]
    public void Read_Tls12_DoesNotHold()
    {
        Connection(15008, ClientHello, ServerHello12);
        var found = WireRecord.Read(_file.ToArray());
        Assert.Equal((1, 0), (found.Handshakes, found.Tls13));
        Assert.False(found.OnlyTls13On(15008));
    }

    [Fact]
    public void Read_PlaintextOnTheTunnelPort_IsNamed()
    {
        Connection(15008, Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\n"), ServerHello13);
        Assert.Contains("no TLS record at byte 0", Assert.Single(WireRecord.Read(_file.ToArray()).Foreign), StringComparison.Ordinal);
    }

    [Fact]
    public void Read_PlaintextAfterTheHandshake_IsNamedWithItsPlace()
    {
        Connection(15008, [.. ClientHello, .. "secret"u8], ServerHello13);
        Assert.Contains("at byte 9", Assert.Single(WireRecord.Read(_file.ToArray()).Foreign), StringComparison.Ordinal);
    }

    [Fact]
    public void Read_AnotherPort_DoesNotHold()
    {
        Connection(8080, ClientHello, ServerHello13);
        Assert.False(WireRecord.Read(_file.ToArray()).OnlyTls13On(15008));
    }

    [Fact]
    public void Read_RecordOverTwoPacketsAndARetransmission_IsOneStream()
    {
        Packet(1, 2, 15008, 100, Syn, []);
        Packet(1, 2, 15008, 101, Ack, ClientHello[..4]);
        Packet(1, 2, 15008, 101, Ack, ClientHello[..6]);
        Packet(1, 2, 15008, 107, Ack, ClientHello[6..]);
        Assert.Empty(WireRecord.Read(_file.ToArray()).Foreign);
    }

    [Fact]
    public void Read_NothingRecorded_DoesNotHold() => Assert.False(WireRecord.Read(_file.ToArray()).OnlyTls13On(15008));

    [Fact]
    public void Read_NoPcap_IsRefused() => Assert.Throws<InvalidDataException>(() => WireRecord.Read("not a recording, by any means"u8));

    private void Connection(ushort port, byte[] fromClient, byte[] fromServer)
    {
        Packet(1, 2, port, 100, Syn, []);
        Packet(2, 1, 40000, 500, Syn | Ack, [], source: port);
        Packet(1, 2, port, 101, Ack, fromClient);
        Packet(2, 1, 40000, 501, Ack, fromServer, source: port);
    }

    private void Packet(byte from, byte to, ushort port, uint sequence, byte flags, byte[] payload, ushort source = 40000)
    {
        var frame = new byte[14 + 20 + 20 + payload.Length];
        frame[12] = 8;
        var ip = frame.AsSpan(14);
        ip[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(ip[2..], (ushort)(40 + payload.Length));
        ip[9] = 6;
        (ip[12], ip[13], ip[14], ip[15]) = (198, 18, from, 10);
        (ip[16], ip[17], ip[18], ip[19]) = (198, 18, to, 10);
        var tcp = ip[20..];
        BinaryPrimitives.WriteUInt16BigEndian(tcp, source);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[2..], port);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[4..], sequence);
        tcp[12] = 0x50;
        tcp[13] = flags;
        payload.CopyTo(tcp[20..]);
        Span<byte> header = stackalloc byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], (uint)frame.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], (uint)frame.Length);
        _file.Write(header);
        _file.Write(frame);
    }
}
