using System.Buffers;
using System.Buffers.Binary;
using Google.Protobuf;

namespace Mesh.Xds.Grpc;

/// <summary>Writes messages with their five byte prefix.</summary>
public static class GrpcFrameEncoder
{
    public static void Write(IBufferWriter<byte> output, IMessage message)
    {
        WritePrefix(output, message.CalculateSize());
        message.WriteTo(output);
    }

    public static void WritePrefix(IBufferWriter<byte> output, int messageLength)
    {
        var prefix = output.GetSpan(GrpcFrameDecoder.PrefixLength);
        prefix[0] = 0; // not compressed
        BinaryPrimitives.WriteUInt32BigEndian(prefix[1..], (uint)messageLength);
        output.Advance(GrpcFrameDecoder.PrefixLength);
    }
}
