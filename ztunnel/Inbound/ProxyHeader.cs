using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Mesh.Model;

namespace Mesh.Ztunnel.Inbound;

/// <summary>PROXY protocol version 2 as a sandwiched waypoint reads it: who called, what was asked for, and the caller's identity.</summary>
internal static class ProxyHeader
{
    private const byte IdentityTlv = 0xD0;
    private const byte VersionAndProxyCommand = 0x21;
    private const byte TcpOverV4 = 0x11;
    private const byte TcpOverV6 = 0x21;
    private const byte Unspecified = 0x00;

    private static ReadOnlySpan<byte> Signature => "\r\n\r\n\0\r\nQUIT\n"u8;

    public static byte[] Write(IPEndPoint source, IPEndPoint destination, SpiffeId? identity)
    {
        var sameFamily = source.AddressFamily == destination.AddressFamily;
        var isV4 = source.AddressFamily == AddressFamily.InterNetwork;
        var addresses = sameFamily ? isV4 ? 12 : 36 : 0;
        var name = identity is { } id ? Encoding.ASCII.GetBytes(id.ToString()) : [];
        var tlv = name.Length > 0 ? 3 + name.Length : 0;
        var header = new byte[16 + addresses + tlv];
        Signature.CopyTo(header);
        header[12] = VersionAndProxyCommand;
        header[13] = sameFamily ? isV4 ? TcpOverV4 : TcpOverV6 : Unspecified;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(14), (ushort)(addresses + tlv));
        var at = 16;
        if (sameFamily)
        {
            source.Address.TryWriteBytes(header.AsSpan(at), out var length);
            at += length;
            destination.Address.TryWriteBytes(header.AsSpan(at), out length);
            at += length;
            BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(at), (ushort)source.Port);
            BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(at + 2), (ushort)destination.Port);
            at += 4;
        }
        if (name.Length > 0)
        {
            header[at] = IdentityTlv;
            BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(at + 1), (ushort)name.Length);
            name.CopyTo(header.AsSpan(at + 3));
        }
        return header;
    }
}
