using FsCheck.Xunit;
using Mesh.Http2.Hpack;

namespace Mesh.Http2.Tests.Properties;

/// <summary>Whatever is encoded comes out again, over many blocks that share one table whose size changes.</summary>
public sealed class HpackProperties
{
    private static readonly string[] Names =
        [":method", ":authority", ":path", ":status", "baggage", "traceparent", "forwarded", "x-a", "cookie", "authorization", "te", "x-request-id"];

    [Property(MaxTest = 300)]
    public void RoundTrip_OfManyBlocks_LosesNothing(int seed)
    {
        var random = new Random(seed);
        var encoder = new HpackEncoder();
        var decoder = new HpackDecoder();
        for (var block = 0; block < 20; block++)
        {
            for (var changes = random.Next(3); changes > 0 && random.Next(3) == 0; changes--)
                encoder.SetLimit((uint)random.Next(5000));
            var headers = new HeaderList();
            for (var fields = random.Next(12); fields > 0; fields--)
                headers.Add(Names[random.Next(Names.Length)], Value(random), sensitive: random.Next(10) == 0);

            var buffer = new byte[HpackEncoder.MaxLength(headers)];
            var decoded = new HeaderList();
            Assert.Equal(HpackStatus.Ok, decoder.Decode(buffer.AsSpan(0, encoder.Encode(headers, buffer)), decoded, int.MaxValue));
            Assert.Equal(headers.AsSpan().ToArray(), decoded.AsSpan().ToArray());
            Assert.Equal(encoder.TableSize, decoder.TableSize);
        }
    }

    [Property(MaxTest = 2000)]
    public void Huffman_OfAnyOctets_RoundTripsOrIsRefused(byte[] octets)
    {
        var room = new byte[Huffman.MaxDecodedLength(octets.Length)];
        if (!Huffman.TryDecode(octets, room, out var written))
            return;

        // The code is unambiguous and its padding fixed: what decodes encodes back to the same octets.
        var text = System.Text.Encoding.Latin1.GetString(room.AsSpan(0, written));
        var coded = new byte[Huffman.EncodedLength(text)];
        Huffman.Encode(text, coded);
        Assert.Equal(octets, coded);
    }

    [Property(MaxTest = 1000)]
    public void Integers_RoundTrip(int number, byte bits)
    {
        var prefix = 1 + (bits % 8);
        var value = Math.Abs(number % IntegerCodec.MaxValue);
        var buffer = new byte[IntegerCodec.MaxLength];
        ReadOnlySpan<byte> coded = buffer.AsSpan(0, IntegerCodec.Write(buffer, prefix, 0, value));
        Assert.True(IntegerCodec.TryRead(ref coded, prefix, out var read));
        Assert.Equal(value, read);
        Assert.True(coded.IsEmpty);
    }

    private static string Value(Random random) => random.Next(4) switch
    {
        0 => $"{random.Next(5)}",
        1 => new string((char)random.Next(256), random.Next(40)),
        2 => string.Concat(Enumerable.Range(0, random.Next(60)).Select(_ => (char)random.Next(33, 127))),
        _ => random.Next(30) == 0 ? new string('v', random.Next(6000)) : "k8s.cluster.name=Kubernetes,k8s.namespace.name=default",
    };
}
