using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Mesh.Net.Native;

/// <summary><c>sockaddr_in</c> or <c>sockaddr_in6</c> by value: 28 bytes inside a socket object instead of three objects beside it.</summary>
[InlineArray(Capacity)]
internal struct NativeAddress
{
    internal const int Capacity = 28;
    private const int V4Length = 16;
    private byte _first;

    internal int Family => this[0] | (this[1] << 8);

    internal uint Length => Family == Libc.AF_INET6 ? (uint)Capacity : V4Length;

    /// <summary>The native form of <paramref name="endpoint"/>; an IPv4 address becomes a mapped one for a socket of family IPv6.</summary>
    internal static NativeAddress From(IPEndPoint endpoint, bool forV6Socket)
    {
        var result = default(NativeAddress);
        Span<byte> bytes = result;
        var address = endpoint.Address;
        if (forV6Socket && address.AddressFamily == AddressFamily.InterNetwork)
            address = address.MapToIPv6();
        var v6 = address.AddressFamily == AddressFamily.InterNetworkV6;
        bytes[0] = (byte)(v6 ? Libc.AF_INET6 : Libc.AF_INET);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], (ushort)endpoint.Port);
        address.TryWriteBytes(bytes[(v6 ? 8 : 4)..], out _);
        if (v6)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes[24..], (uint)address.ScopeId);
        return result;
    }

    /// <summary>The endpoint as callers see it: IPv4-mapped addresses are unmapped.</summary>
    internal readonly IPEndPoint ToEndPoint()
    {
        ReadOnlySpan<byte> bytes = this;
        var family = bytes[0] | (bytes[1] << 8);
        if (family == Libc.AF_INET)
            return new IPEndPoint(new IPAddress(bytes.Slice(4, 4)), BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]));
        if (family != Libc.AF_INET6)
            return new IPEndPoint(IPAddress.Any, 0);
        var address = new IPAddress(bytes.Slice(8, 16), BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]));
        return new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]));
    }
}
