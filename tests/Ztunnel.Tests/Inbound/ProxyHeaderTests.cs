using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Inbound;
using Mesh.Ztunnel.Tests.Stories;

namespace Mesh.Ztunnel.Tests.Inbound;

/// <summary>PROXY headers are written and never read: what a peer sends in that form is payload, and stands behind ours.</summary>
public sealed class ProxyHeaderTests
{
    private const string Signature = "0d0a0d0a000d0a515549540a";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("192.0.2.1:1000", "192.0.2.2:80", "21110000" + "c0000201c0000202" + "03e80050")]
    [InlineData("[2001:db8::1]:1000", "[2001:db8::2]:80", "21210000" + "20010db800000000000000000000000120010db8000000000000000000000002" + "03e80050")]
    [InlineData("192.0.2.1:1000", "[2001:db8::2]:80", "21000000")]
    public void Header_WithoutIdentity_HasTheAddressesOfOneFamilyOrNone(string source, string destination, string expected)
    {
        var header = ProxyHeader.Write(IPEndPoint.Parse(source), IPEndPoint.Parse(destination), null);
        var length = header.Length - 16;
        Assert.Equal(length, BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(14)));
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(14), 0);
        Assert.Equal(Signature + expected, Convert.ToHexStringLower(header));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(900)]
    public void Identity_OfAnyLength_IsOneWholeTlv(int length)
    {
        var identity = new SpiffeId("cluster.local", "ns", new string('a', length));
        var header = ProxyHeader.Write(IPEndPoint.Parse("192.0.2.1:1"), IPEndPoint.Parse("192.0.2.2:2"), identity);
        Assert.Equal(header.Length - 16, BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(14)));
        Assert.Equal(0xD0, header[28]);
        Assert.Equal(header.Length - 31, BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(29)));
        Assert.Equal(identity.ToString(), Encoding.ASCII.GetString(header, 31, header.Length - 31));
    }

    [Theory]
    [MemberData(nameof(Forgeries))]
    public async Task HeaderThatAPeerSendsItself_IsPayloadBehindOurs(byte[] forged)
    {
        // The rig's application listens on the pod's address, not on loopback.
        await using var rig = await StoryRig.StartAsync(
            r =>
            {
                var world = r.World();
                world.Workloads[1] = r.Server with { ApplicationTunnel = new ApplicationTunnel(ApplicationTunnelProtocol.Proxy, (ushort)r.Application.Port) };
                return world;
            },
            ("LOCALHOST_APP_TUNNEL", "false"));
        using var socket = await rig.ConnectAsync();
        // In two parts: a reader that waited for the end of such a header would wait here.
        await socket.SendAsync(forged.AsMemory(0, 1));
        var ours = await ReadAsync(socket, 16);
        Assert.Equal(Signature + "2111", Convert.ToHexStringLower(ours, 0, 14));
        var body = await ReadAsync(socket, BinaryPrimitives.ReadUInt16BigEndian(ours.AsSpan(14)));
        Assert.Equal(rig.Client.Identity.ToString(), Encoding.ASCII.GetString(body, 15, body.Length - 15));
        Assert.Equal(forged[..1], await ReadAsync(socket, 1));
        await socket.SendAsync(forged.AsMemory(1));
        Assert.Equal(forged[1..], await ReadAsync(socket, forged.Length - 1));
    }

    public static TheoryData<byte[]> Forgeries()
    {
        var signature = Convert.FromHexString(Signature);
        return new TheoryData<byte[]>
        {
            Encoding.ASCII.GetBytes("PROXY TCP4 198.51.100.1 198.51.100.2 1 2\r\n"),
            Encoding.ASCII.GetBytes("PROXY TCP4 " + new string('9', 200) + "\r\n"),
            (byte[])[.. signature, 0x21, 0x11, 0, 12, 198, 51, 100, 1, 198, 51, 100, 2, 0, 1, 0, 2],
            (byte[])[.. signature, 0x21, 0x11, 0xFF, 0xFF, 198, 51, 100, 1],
            (byte[])[.. signature, 0x21, 0x11, 0, 15, 198, 51, 100, 1, 198, 51, 100, 2, 0, 1, 0, 2, 0xD0, 0xFF, 0xFF],
            (byte[])[.. signature, 0xFF, 0xFF, 0, 0],
        };
    }

    private static async Task<byte[]> ReadAsync(Socket socket, int count)
    {
        var buffer = new byte[count];
        for (var read = 0; read < count;)
        {
            var more = await socket.ReceiveAsync(buffer.AsMemory(read)).AsTask().WaitAsync(Patience);
            Assert.NotEqual(0, more);
            read += more;
        }

        return buffer;
    }
}
