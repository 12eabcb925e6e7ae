using System.Buffers.Binary;
using System.Text;

namespace Mesh.Http2.Framing;

/// <summary>Whole frames into the output. No state: who may send what is decided by the connection.</summary>
internal static class FrameWriter
{
    // Enough for one sentence; debug data is for people.
    private const int MaxDebugData = 256;

    public static void Preface(Http2Output output)
    {
        Protocol.Preface.CopyTo(output.Append(Protocol.Preface.Length));
        output.Commit(Protocol.Preface.Length);
    }

    public static void Settings(Http2Output output, ReadOnlySpan<(SettingId Id, uint Value)> settings)
    {
        var length = settings.Length * Protocol.SettingSize;
        var frame = Begin(output, length, FrameType.SETTINGS, FrameFlags.None, 0);
        foreach (var (id, value) in settings)
        {
            BinaryPrimitives.WriteUInt16BigEndian(frame, (ushort)id);
            BinaryPrimitives.WriteUInt32BigEndian(frame[2..], value);
            frame = frame[Protocol.SettingSize..];
        }

        output.Commit(FrameHeader.Size + length);
    }

    public static void SettingsAck(Http2Output output)
    {
        Begin(output, 0, FrameType.SETTINGS, FrameFlags.Ack, 0);
        output.Commit(FrameHeader.Size);
    }

    public static void Ping(Http2Output output, ulong opaque, bool ack)
    {
        var frame = Begin(output, 8, FrameType.PING, ack ? FrameFlags.Ack : FrameFlags.None, 0);
        BinaryPrimitives.WriteUInt64BigEndian(frame, opaque);
        output.Commit(FrameHeader.Size + 8);
    }

    public static void WindowUpdate(Http2Output output, uint streamId, int increment)
    {
        var frame = Begin(output, 4, FrameType.WINDOW_UPDATE, FrameFlags.None, streamId);
        BinaryPrimitives.WriteInt32BigEndian(frame, increment);
        output.Commit(FrameHeader.Size + 4);
    }

    public static void ResetStream(Http2Output output, uint streamId, Http2ErrorCode code)
    {
        var frame = Begin(output, 4, FrameType.RST_STREAM, FrameFlags.None, streamId);
        BinaryPrimitives.WriteUInt32BigEndian(frame, (uint)code);
        output.Commit(FrameHeader.Size + 4);
    }

    public static void GoAway(Http2Output output, uint lastStreamId, Http2ErrorCode code, string debug)
    {
        var text = debug.Length > MaxDebugData ? debug[..MaxDebugData] : debug;
        var length = 8 + Encoding.ASCII.GetByteCount(text);
        var frame = Begin(output, length, FrameType.GOAWAY, FrameFlags.None, 0);
        BinaryPrimitives.WriteUInt32BigEndian(frame, lastStreamId);
        BinaryPrimitives.WriteUInt32BigEndian(frame[4..], (uint)code);
        Encoding.ASCII.GetBytes(text, frame[8..]);
        output.Commit(FrameHeader.Size + length);
    }

    public static void Data(Http2Output output, uint streamId, ReadOnlySpan<byte> data, bool endStream)
    {
        var frame = Begin(output, data.Length, FrameType.DATA, endStream ? FrameFlags.EndStream : FrameFlags.None, streamId);
        data.CopyTo(frame);
        output.Commit(FrameHeader.Size + data.Length);
    }

    private static Span<byte> Begin(Http2Output output, int length, FrameType type, FrameFlags flags, uint streamId)
    {
        var frame = output.Append(FrameHeader.Size + length);
        FrameHeader.Write(frame, length, type, flags, streamId);
        return frame[FrameHeader.Size..];
    }
}
