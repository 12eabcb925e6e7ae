using System.Buffers.Binary;
using System.Text;
using Mesh.Http2;
using Mesh.Http2.Framing;

namespace Mesh.Testing.Http2;

/// <summary>One frame as it was on the wire. The type is its RFC 9113 name, because tests are read by people.</summary>
/// <param name="Headers">The decoded field section of HEADERS that were complete in one frame or with their CONTINUATION frames.</param>
public sealed record WireFrame(string Type, byte Flags, uint StreamId, byte[] Payload, HeaderList? Headers = null)
{
    public bool EndStream => Type is "DATA" or "HEADERS" && (Flags & 1) != 0;

    public bool Ack => Type is "SETTINGS" or "PING" && (Flags & 1) != 0;

    public bool EndHeaders => (Flags & 4) != 0;

    public Http2ErrorCode ErrorCode => (Http2ErrorCode)BinaryPrimitives.ReadUInt32BigEndian(Payload.AsSpan(Type == "GOAWAY" ? 4 : 0));

    public uint LastStreamId => BinaryPrimitives.ReadUInt32BigEndian(Payload);

    public int Increment => BinaryPrimitives.ReadInt32BigEndian(Payload);

    public ulong Opaque => BinaryPrimitives.ReadUInt64BigEndian(Payload);

    public string Text => Encoding.Latin1.GetString(Type == "GOAWAY" ? Payload.AsSpan(8) : Payload);

    /// <summary>The whole frame, header first, as recorded samples write it.</summary>
    public string Hex => Convert.ToHexStringLower(Build(Enum.Parse<FrameType>(Type), Flags, StreamId, Payload));

    /// <summary>The entries of SETTINGS in order: "INITIAL_WINDOW_SIZE=4194304".</summary>
    public IReadOnlyList<string> Settings
    {
        get
        {
            var entries = new List<string>();
            for (var rest = Payload.AsSpan(); !rest.IsEmpty; rest = rest[6..])
                entries.Add($"{(SettingId)BinaryPrimitives.ReadUInt16BigEndian(rest)}={BinaryPrimitives.ReadUInt32BigEndian(rest[2..])}");
            return entries;
        }
    }

    public override string ToString() => Type switch
    {
        "RST_STREAM" => $"RST_STREAM {StreamId} {ErrorCode}",
        "GOAWAY" => $"GOAWAY {LastStreamId} {ErrorCode} {Text}".TrimEnd(),
        "WINDOW_UPDATE" => $"WINDOW_UPDATE {StreamId} {Increment}",
        "SETTINGS" or "PING" => Ack ? $"{Type} ack" : Type,
        "DATA" => $"DATA {StreamId} {Payload.Length}{(EndStream ? " end" : string.Empty)}",
        _ => $"{Type} {StreamId}{(EndStream ? " end" : string.Empty)}",
    };

    internal static byte[] Build(FrameType type, byte flags, uint streamId, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[FrameHeader.Size + payload.Length];
        FrameHeader.Write(frame, payload.Length, type, (FrameFlags)flags, streamId);
        payload.CopyTo(frame.AsSpan(FrameHeader.Size));
        return frame;
    }
}
