using System.Text;
using Mesh.Http2.Hpack;

namespace Mesh.Http2.Tests.Hpack;

/// <summary>What RFC 7541 forbids, and what the tables do at their edges.</summary>
public sealed class HpackLimitTests
{
    [Theory]
    [InlineData("80")] // index 0
    [InlineData("be")] // index 62 of an empty dynamic table
    [InlineData("ff8080808080808001")] // index that overflows
    [InlineData("ffffffffff0f")] // index above any table
    [InlineData("7f")] // truncated integer
    [InlineData("40")] // no name
    [InlineData("400161")] // no value
    [InlineData("40056162")] // name shorter than its length
    [InlineData("7e0161")] // name index 62 of an empty table
    [InlineData("0081ff")] // Huffman: eight bits of padding
    [InlineData("008118")] // Huffman: padding of zeros
    [InlineData("0084fffffffc00")] // Huffman: end of string inside
    [InlineData("8220")] // size update after a field
    [InlineData("3fe21f")] // size update above the limit: 4097
    public void Block_ThatViolatesTheRfc_IsMalformed(string hex) =>
        Assert.Equal(HpackStatus.Malformed, new HpackDecoder().Decode(Convert.FromHexString(hex), new HeaderList(), 65536));

    [Fact]
    public void Integer_WithUselessContinuation_IsBounded()
    {
        ReadOnlySpan<byte> endless = [0x1f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
        Assert.False(IntegerCodec.TryRead(ref endless, 5, out _));
        ReadOnlySpan<byte> padded = [0x1f, 0x80, 0x80, 0x00];
        Assert.True(IntegerCodec.TryRead(ref padded, 5, out var value));
        Assert.Equal(31, value);
    }

    [Fact]
    public void Entry_LargerThanTheTable_EmptiesIt()
    {
        var table = new DynamicTable(100);
        table.Insert(new HeaderField("a", "b"));
        Assert.Equal(34, table.Size);
        table.Insert(new HeaderField("a", new string('b', 68)));
        Assert.Equal((0, 0), (table.Count, table.Size));
    }

    [Fact]
    public void Table_EvictsTheOldest_AndKeepsItsOrderWhileItGrows()
    {
        var table = new DynamicTable(34 * 20);
        for (var i = 0; i < 100; i++)
            table.Insert(new HeaderField($"{(char)('a' + (i % 26))}", $"{i % 10}"));
        Assert.Equal(20, table.Count);
        for (var i = 0; i < 20; i++)
            Assert.Equal($"{(char)('a' + ((99 - i) % 26))}", table[i].Name);
        table.Resize(34 * 3);
        Assert.Equal(3, table.Count);
        Assert.Equal("v", table[0].Name);
        table.Resize(0);
        Assert.Equal(0, table.Size);
    }

    [Fact]
    public void List_AboveItsLimit_IsReportedAndDoesNotGrow()
    {
        var decoder = new HpackDecoder();
        var headers = new HeaderList();
        Assert.Equal(HpackStatus.ListTooLarge, decoder.Decode([0x82, 0x84, 0x40, 0x01, (byte)'x', 0x01, (byte)'y', 0xbe], headers, 90));
        Assert.Equal(2, headers.Count);
        Assert.Equal(1, decoder.TableCount);
    }

    [Fact]
    public void Encoder_NeverUsesMoreThan4096Octets()
    {
        var encoder = new HpackEncoder();
        encoder.SetLimit(1 << 20);
        Assert.Equal(4096, encoder.TableLimit);
        for (var i = 0; i < 1000; i++)
            Encode(encoder, new HeaderField($"x-{i}", "value"));
        Assert.InRange(encoder.TableSize, 4000, 4096);
    }

    [Fact]
    public void Encoder_DoesNotIndexWhatIsSensitiveOrNeverRepeats()
    {
        var encoder = new HpackEncoder();
        Assert.Equal(0x1f, Encode(encoder, new HeaderField("authorization", "secret", Sensitive: true))[0]); // name index 23 = 15 + 8
        Assert.Equal(0, encoder.TableSize);
        Encode(encoder, new HeaderField("traceparent", "00-aa"));
        var afterFirst = encoder.TableSize;
        Assert.Equal("0f2f", Convert.ToHexStringLower(Encode(encoder, new HeaderField("traceparent", "00-bb")).AsSpan(0, 2))); // name index 62 = 15 + 47
        Assert.Equal(afterFirst, encoder.TableSize);
    }

    [Fact]
    public void Encoder_EntryAboveTheTable_IsSentLiterally()
    {
        var encoder = new HpackEncoder();
        Encode(encoder, new HeaderField("x-keep", "1"));
        var size = encoder.TableSize;
        Assert.Equal(0x00, Encode(encoder, new HeaderField("x-large", new string('a', 5000)))[0]);
        Assert.Equal(size, encoder.TableSize);
    }

    [Fact]
    public void Huffman_EverySymbol_SurvivesAloneAndBesideEveryOther()
    {
        for (var a = 0; a < 256; a++)
        {
            AssertHuffman($"{(char)a}");
            for (var b = 0; b < 256; b += 7)
                AssertHuffman($"{(char)a}{(char)b}{(char)a}");
        }
    }

    private static void AssertHuffman(string text)
    {
        var coded = new byte[Huffman.EncodedLength(text)];
        Huffman.Encode(text, coded);
        var decoded = new byte[Huffman.MaxDecodedLength(coded.Length)];
        Assert.True(Huffman.TryDecode(coded, decoded, out var written));
        Assert.Equal(text, Encoding.Latin1.GetString(decoded.AsSpan(0, written)));
    }

    private static byte[] Encode(HpackEncoder encoder, HeaderField field)
    {
        HeaderList headers = [field];
        var buffer = new byte[HpackEncoder.MaxLength(headers)];
        return buffer[..encoder.Encode(headers, buffer)];
    }
}
