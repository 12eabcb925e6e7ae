using Mesh.Http2.Hpack;

namespace Mesh.Http2.Tests.Hpack;

/// <summary>The examples of RFC 7541, appendix C, both ways where our encoder makes the same choices.</summary>
public sealed class AppendixCTests
{
    private const string Redirect = "location=https://www.example.com";

    [Theory]
    [InlineData(5, 10, "0a")]
    [InlineData(5, 1337, "1f9a0a")]
    [InlineData(8, 42, "2a")]
    public void C1_Integers(int prefix, int value, string hex)
    {
        var buffer = new byte[8];
        Assert.Equal(hex, Convert.ToHexStringLower(buffer.AsSpan(0, IntegerCodec.Write(buffer, prefix, 0, value))));
        ReadOnlySpan<byte> source = Convert.FromHexString(hex);
        Assert.True(IntegerCodec.TryRead(ref source, prefix, out var read));
        Assert.Equal(value, read);
        Assert.True(source.IsEmpty);
    }

    [Theory]
    [InlineData("400a637573746f6d2d6b65790d637573746f6d2d686561646572", "custom-key=custom-header", 55)] // C.2.1
    [InlineData("040c2f73616d706c652f70617468", ":path=/sample/path", 0)] // C.2.2
    [InlineData("100870617373776f726406736563726574", "password=secret", 0)] // C.2.3
    [InlineData("82", ":method=GET", 0)] // C.2.4
    public void C2_Fields(string hex, string expected, int tableSize)
    {
        var decoder = new HpackDecoder();
        Assert.Equal([expected], Decode(decoder, hex));
        Assert.Equal(tableSize, decoder.TableSize);
    }

    [Fact]
    public void C2_3_NeverIndexed_IsMarkedSensitive()
    {
        var headers = new HeaderList();
        new HpackDecoder().Decode(Convert.FromHexString("100870617373776f726406736563726574"), headers, 4096);
        Assert.True(headers[0].Sensitive);
    }

    public static TheoryData<string, int, string[], string[], int[]> Sequences => new()
    {
        {
            "C.3 requests, plain", 4096,
            ["828684410f7777772e6578616d706c652e636f6d", "828684be58086e6f2d6361636865", "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565"],
            Requests, [57, 110, 164]
        },
        {
            "C.4 requests, Huffman", 4096,
            ["828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf", "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"],
            Requests, [57, 110, 164]
        },
        {
            "C.5 responses, plain", 256,
            [
                "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
                "4803333037c1c0bf",
                "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
            ],
            Responses, [222, 222, 215]
        },
        {
            "C.6 responses, Huffman", 256,
            [
                "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
                "4883640effc1c0bf",
                "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
            ],
            Responses, [222, 222, 215]
        },
    };

    private static string[] Requests =>
    [
        ":method=GET|:scheme=http|:path=/|:authority=www.example.com",
        ":method=GET|:scheme=http|:path=/|:authority=www.example.com|cache-control=no-cache",
        ":method=GET|:scheme=https|:path=/index.html|:authority=www.example.com|custom-key=custom-value",
    ];

    private static string[] Responses =>
    [
        ":status=302|cache-control=private|date=Mon, 21 Oct 2013 20:13:21 GMT|" + Redirect,
        ":status=307|cache-control=private|date=Mon, 21 Oct 2013 20:13:21 GMT|" + Redirect,
        ":status=200|cache-control=private|date=Mon, 21 Oct 2013 20:13:22 GMT|" + Redirect
            + "|content-encoding=gzip|set-cookie=foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    ];

    [Theory]
    [MemberData(nameof(Sequences))]
    public void C3ToC6_Sequences_DecodeWithTheRightTable(string name, int tableSize, string[] blocks, string[] expected, int[] sizes)
    {
        var decoder = new HpackDecoder();
        if (tableSize != 4096)
            decoder.Decode([0x3f, 0xe1, 0x01], null, 0); // the examples' table of 256 octets
        for (var i = 0; i < blocks.Length; i++)
        {
            Assert.Equal(expected[i].Split('|'), Decode(decoder, blocks[i]));
            Assert.True(sizes[i] == decoder.TableSize, $"{name}: table after block {i}");
        }
    }

    [Fact]
    public void C4_Requests_AreWhatOurEncoderWrites()
    {
        var encoder = new HpackEncoder();
        string[] expected = ["828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf", "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"];
        for (var i = 0; i < expected.Length; i++)
        {
            var headers = RequestHeaderTests.Parse(Requests[i]);
            var buffer = new byte[HpackEncoder.MaxLength(headers)];
            Assert.Equal(expected[i], Convert.ToHexStringLower(buffer.AsSpan(0, encoder.Encode(headers, buffer))));
        }
    }

    private static IEnumerable<string> Decode(HpackDecoder decoder, string hex)
    {
        var headers = new HeaderList();
        Assert.Equal(HpackStatus.Ok, decoder.Decode(Convert.FromHexString(hex), headers, 65536));
        return ((IEnumerable<HeaderField>)headers).Select(f => $"{f.Name}={f.Value}");
    }
}
