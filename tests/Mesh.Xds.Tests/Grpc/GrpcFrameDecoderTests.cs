using System.Buffers;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Mesh.Xds.Grpc;

namespace Mesh.Xds.Tests.Grpc;

public sealed class GrpcFrameDecoderTests
{
    [Property(MaxTest = 300)]
    public bool Messages_HoweverTheBytesAreSplit_AreTheSame(byte[][] messages, int[] cuts)
    {
        messages ??= [];
        var stream = Frame(messages);
        var splits = (cuts ?? []).Select(c => stream.Length == 0 ? 0 : (int)((uint)c % (uint)(stream.Length + 1))).Append(0).Append(stream.Length).Order().ToArray();
        var decoded = new List<byte[]>();
        using var decoder = new GrpcFrameDecoder();
        for (var i = 1; i < splits.Length; i++)
            decoded.AddRange(Feed(decoder, stream[splits[i - 1]..splits[i]]));
        return decoded.Count == messages.Length && decoded.Zip(messages).All(p => p.First.AsSpan().SequenceEqual(p.Second ?? [])) && !decoder.IsMidMessage;
    }

    [Fact]
    public void Message_OfManyPieces_GrowsAndIsWhole()
    {
        var message = new byte[3 << 20];
        Random.Shared.NextBytes(message);
        using var decoder = new GrpcFrameDecoder();
        var decoded = new List<byte[]>();
        foreach (var piece in Frame([message]).Chunk(1000))
            decoded.AddRange(Feed(decoder, piece));
        Assert.Equal(message, Assert.Single(decoded));
    }

    [Fact]
    public void Message_AnnouncedHugeButNeverSent_CostsNoMemory()
    {
        using var decoder = new GrpcFrameDecoder();
        var before = GC.GetAllocatedBytesForCurrentThread();
        decoder.Feed([0, 0x0C, 0x80, 0, 0, 1, 2, 3]); // 200 MiB announced, 3 bytes sent
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 64 * 1024);
        Assert.True(decoder.IsMidMessage);
    }

    [Fact]
    public void Message_AboveTheLimit_IsResourceExhausted()
    {
        using var decoder = new GrpcFrameDecoder(maxMessageSize: 100);
        var failure = Assert.Throws<GrpcException>(() => decoder.Feed([0, 0, 0, 0, 101]));
        Assert.Equal(GrpcStatusCode.ResourceExhausted, failure.Status.Code);
    }

    [Fact]
    public void Message_MarkedCompressed_IsRefused()
    {
        using var decoder = new GrpcFrameDecoder();
        Assert.Equal(GrpcStatusCode.Unimplemented, Assert.Throws<GrpcException>(() => decoder.Feed([1, 0, 0, 0, 0])).Status.Code);
    }

    private static byte[] Frame(IEnumerable<byte[]?> messages)
    {
        var output = new ArrayBufferWriter<byte>();
        foreach (var message in messages)
        {
            GrpcFrameEncoder.WritePrefix(output, message?.Length ?? 0);
            output.Write(message ?? []);
        }

        return output.WrittenSpan.ToArray();
    }

    private static List<byte[]> Feed(GrpcFrameDecoder decoder, ReadOnlySpan<byte> bytes)
    {
        var messages = new List<byte[]>();
        while (!bytes.IsEmpty)
        {
            bytes = bytes[decoder.Feed(bytes)..];
            if (!decoder.IsComplete)
                continue;
            messages.Add(decoder.Message.ToArray());
            decoder.Next();
        }

        return messages;
    }
}
