using System.Runtime.InteropServices;

namespace Mesh.Net.Netlink;

/// <summary>One message to the kernel: header, the fixed part of its type, attributes. Numbers are in the machine's own order.</summary>
internal sealed class NetlinkRequest
{
    private readonly byte[] _bytes = new byte[128];
    private int _length = Rtnetlink.MessageHeaderSize + Rtnetlink.BodyHeaderSize;

    internal NetlinkRequest(ushort type, ushort flags)
    {
        Write(4, type);
        Write(6, (ushort)(flags | Rtnetlink.NLM_F_REQUEST));
        Write(0, (uint)_length);
    }

    /// <summary>The fixed part: all zero is "any" in a question.</summary>
    internal Span<byte> Header => _bytes.AsSpan(Rtnetlink.MessageHeaderSize, Rtnetlink.BodyHeaderSize);

    /// <summary>The fixed part and the attributes: what a dump shows of the same object.</summary>
    internal ReadOnlySpan<byte> Body => _bytes.AsSpan(Rtnetlink.MessageHeaderSize, _length - Rtnetlink.MessageHeaderSize);

    internal NetlinkRequest With(ushort attribute, uint value)
    {
        Write(_length, (ushort)(Rtnetlink.AttributeHeaderSize + sizeof(uint)));
        Write(_length + 2, attribute);
        Write(_length + Rtnetlink.AttributeHeaderSize, value);
        _length += Rtnetlink.AttributeHeaderSize + sizeof(uint);
        Write(0, (uint)_length);
        return this;
    }

    internal ReadOnlySpan<byte> Numbered(uint sequence)
    {
        Write(8, sequence);
        return _bytes.AsSpan(0, _length);
    }

    private void Write<T>(int offset, T value)
        where T : unmanaged => MemoryMarshal.Write(_bytes.AsSpan(offset), value);
}
