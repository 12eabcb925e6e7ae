using System.Buffers.Binary;

namespace Mesh.Http2.Framing;

/// <summary>
/// The nine octets before every frame (RFC 9113, 4.1).
/// <code>
///  +-----------------------------------------------+
///  |                 Length (24)                   |
///  +---------------+---------------+---------------+
///  |   Type (8)    |   Flags (8)   |
///  +-+-------------+---------------+-------------------------------+
///  |R|                 Stream Identifier (31)                      |
///  +=+=============================================================+
/// </code>
/// </summary>
internal readonly record struct FrameHeader(int Length, FrameType Type, FrameFlags Flags, uint StreamId)
{
    public const int Size = 9;

    public bool Has(FrameFlags flag) => (Flags & flag) != 0;

    public static FrameHeader Read(ReadOnlySpan<byte> source) => new(
        (source[0] << 16) | (source[1] << 8) | source[2],
        (FrameType)source[3],
        (FrameFlags)source[4],
        BinaryPrimitives.ReadUInt32BigEndian(source[5..]) & Protocol.MaxStreamId);

    public static void Write(Span<byte> target, int length, FrameType type, FrameFlags flags, uint streamId)
    {
        // Length and type are one big-endian word.
        BinaryPrimitives.WriteUInt32BigEndian(target, ((uint)length << 8) | (byte)type);
        target[4] = (byte)flags;
        BinaryPrimitives.WriteUInt32BigEndian(target[5..], streamId);
    }
}
