using Mesh.Testing.Http2;

namespace Mesh.Http2.Tests;

/// <summary>RFC 9113, 4.3 and 6.10: field sections in pieces.</summary>
public sealed class ContinuationTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(0)]
    public void FieldSection_InPieces_IsOneRequest(int firstPiece)
    {
        var peer = ScriptedHttp2Peer.OfServer();
        var block = peer.Encode(HeaderList.Connect("198.18.1.21:8080"));
        peer.SendFrame("HEADERS", 1, 1, block.AsSpan(0, firstPiece));
        Assert.Empty(peer.Handler.Events);
        peer.SendFrame("CONTINUATION", 0, 1, default);
        peer.SendFrame("CONTINUATION", 4, 1, block.AsSpan(firstPiece));
        Assert.Equal(["headers 1 end", "end 1"], peer.Handler.Events);
        Assert.Equal("198.18.1.21:8080", peer.Handler.Headers(1)[0].Authority);
    }

    [Theory]
    [InlineData("PING", 0u)]
    [InlineData("CONTINUATION", 3u)]
    [InlineData("HEADERS", 1u)]
    [InlineData("DATA", 1u)]
    public void FieldSection_Interrupted_EndsTheConnection(string type, uint stream)
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendFrame("HEADERS", 0, 1, [0x82]);
        peer.SendFrame(type, 4, stream, new byte[8]);
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, peer.Expect("GOAWAY").ErrorCode);
    }

    [Fact]
    public void FieldSection_InterruptedByAnUnknownType_EndsTheConnection()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendFrame("HEADERS", 0, 1, [0x82]);
        peer.SendFrame(0x77, 0, 1, default);
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, peer.Expect("GOAWAY").ErrorCode);
    }

    [Fact]
    public void Continuation_WithoutHeaders_EndsTheConnection()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendFrame("CONTINUATION", 4, 1, [0x82]);
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, peer.Expect("GOAWAY").ErrorCode);
    }

    [Fact]
    public void OurFieldSection_AboveThePeersFrameSize_GoesOutInPieces()
    {
        var peer = ScriptedHttp2Peer.OfClient();
        var headers = HeaderList.Connect("a:1");
        headers.Add("x-long", new string('~', 40_000)); // 13 bits each in the Huffman code: sent plain
        peer.Connection.OpenStream(headers, endStream: true);

        var frames = peer.Take();
        Assert.Equal(["HEADERS", "CONTINUATION", "CONTINUATION"], frames.Select(f => f.Type));
        Assert.Equal([true, false, false], frames.Select(f => f.EndStream));
        Assert.Equal([false, false, true], frames.Select(f => f.EndHeaders));
        Assert.All(frames, f => Assert.True(f.Payload.Length <= 16384));
        Assert.Equal(40_000, frames[^1].Headers!.Get("x-long")!.Length);
    }
}
