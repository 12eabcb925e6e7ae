using System.Runtime.InteropServices;

namespace Mesh.Net.Netlink;

/// <summary>The attributes of a message, one after the other. One that does not fit into what is left ends the walk.</summary>
internal ref struct NetlinkAttributes(ReadOnlySpan<byte> bytes)
{
    /// <summary>The two high bits say how the value is to be read (NLA_F_NESTED, NLA_F_NET_BYTEORDER).</summary>
    private const ushort TypeMask = 0x3fff;

    private ReadOnlySpan<byte> _rest = bytes;

    internal ushort Type { get; private set; }

    internal ReadOnlySpan<byte> Value { get; private set; }

    internal readonly uint? Number => Value.Length == sizeof(uint) ? MemoryMarshal.Read<uint>(Value) : null;

    /// <summary>The number that an attribute holds; null where it is not there or holds something else.</summary>
    internal static uint? Find(ReadOnlySpan<byte> bytes, ushort type)
    {
        var attributes = new NetlinkAttributes(bytes);
        while (attributes.MoveNext())
        {
            if (attributes.Type == type)
                return attributes.Number;
        }
        return null;
    }

    internal bool MoveNext()
    {
        if (_rest.Length < Rtnetlink.AttributeHeaderSize)
            return false;
        int length = MemoryMarshal.Read<ushort>(_rest);
        if (length < Rtnetlink.AttributeHeaderSize || length > _rest.Length)
            return false;
        Type = (ushort)(MemoryMarshal.Read<ushort>(_rest[2..]) & TypeMask);
        Value = _rest[Rtnetlink.AttributeHeaderSize..length];
        _rest = _rest[Math.Min(Rtnetlink.Align(length), _rest.Length)..];
        return true;
    }
}
