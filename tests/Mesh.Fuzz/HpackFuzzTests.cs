using Mesh.Http2;
using Mesh.Http2.Hpack;

namespace Mesh.Fuzz;

public sealed class HpackFuzzTests
{
    private const int ListLimit = 4096;

    /// <summary>No block throws, none exceeds its limits, and what decodes survives our encoder and decoder unchanged.</summary>
    [Fact]
    public void Decoder_AnyBlock_EndsInOneOfThreeWays() => Corpus.Run("hpack", 30_000, (bytes, random) =>
    {
        var decoder = new HpackDecoder();
        var rest = bytes.AsSpan();
        while (!rest.IsEmpty)
        {
            // Several blocks through one table.
            var block = rest[..Math.Min(rest.Length, 1 + random.Next(200))];
            rest = rest[block.Length..];
            var headers = new HeaderList();
            var status = decoder.Decode(block, headers, ListLimit);
            Assert.True(decoder.TableSize <= 4096, "the table exceeds its limit");
            Assert.True(headers.AsSpan().ToArray().Sum(f => f.Name.Length + f.Value.Length + 32) <= ListLimit, "the list exceeds its limit");
            if (status == HpackStatus.Malformed)
                return;
            AssertRoundTrip(headers);
        }
    });

    private static void AssertRoundTrip(HeaderList headers)
    {
        var buffer = new byte[HpackEncoder.MaxLength(headers)];
        var length = new HpackEncoder().Encode(headers, buffer);
        var again = new HeaderList();
        Assert.Equal(HpackStatus.Ok, new HpackDecoder().Decode(buffer.AsSpan(0, length), again, ListLimit));
        Assert.Equal(headers.AsSpan().ToArray(), again.AsSpan().ToArray());
    }
}
