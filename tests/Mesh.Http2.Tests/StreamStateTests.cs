using Mesh.Testing.Http2;

namespace Mesh.Http2.Tests;

/// <summary>RFC 9113, 5.1: states and what late frames mean.</summary>
public sealed class StreamStateTests
{
    [Fact]
    public void Connect_BothSidesEnd_StreamClosesOnce()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        var stream = peer.Handler.Stream(1);
        Assert.Equal(Http2StreamState.Open, stream.State);
        stream.SendHeaders(HeaderList.Response(200), endStream: false);

        peer.SendData(1, "who\n", endStream: true);
        Assert.Equal(Http2StreamState.HalfClosedRemote, stream.State);
        Assert.Equal(3, stream.Write("ans"u8, endStream: true));

        Assert.Equal(Http2StreamState.Closed, stream.State);
        Assert.Equal(["headers 1", "data 1 4", "end 1", "closed 1"], peer.Handler.Events);
        Assert.Equal(["HEADERS 1", "DATA 1 3 end"], peer.Take().Select(f => f.ToString()));
        Assert.Equal(0, peer.Connection.ActiveStreams);
    }

    [Fact]
    public void HalfClosedLocal_PeerKeepsSending_DataStillArrives()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        var stream = peer.Handler.Stream(1);
        stream.SendHeaders(HeaderList.Response(200), endStream: false);
        stream.EndStream();
        Assert.Equal(Http2StreamState.HalfClosedLocal, stream.State);

        peer.SendData(1, "late", endStream: true);

        Assert.Equal("late", peer.Handler.Text(1));
        Assert.Equal(["headers 1", "data 1 4", "end 1", "closed 1"], peer.Handler.Events);
        Assert.Equal(["HEADERS 1", "DATA 1 0 end"], peer.Take().Select(f => f.ToString()));
    }

    [Fact]
    public void Data_AfterPeersEndStream_ResetsWithStreamClosed()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        peer.SendData(1, "a", endStream: true);
        peer.SendData(1, "b");

        Assert.Equal(Http2ErrorCode.STREAM_CLOSED, peer.Expect("RST_STREAM", 1).ErrorCode);
        Assert.Equal(["headers 1", "data 1 1", "end 1", "reset 1 STREAM_CLOSED own", "closed 1"], peer.Handler.Events);
        Assert.False(peer.Connection.IsClosed);
    }

    [Fact]
    public void Data_AfterStreamFinished_IsAnsweredOnceAndThenIgnored()
    {
        var peer = FinishedStream();
        peer.SendData(1, "b");
        peer.SendData(1, "c");

        Assert.Equal("RST_STREAM 1 STREAM_CLOSED", Assert.Single(peer.Take()).ToString());
        Assert.False(peer.Connection.IsClosed);
    }

    [Fact]
    public void LateFrames_AfterOurReset_AreIgnoredAndKeepCompressionInStep()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        peer.Handler.Stream(1).Reset(Http2ErrorCode.CANCEL);
        peer.Expect("RST_STREAM", 1);

        peer.SendData(1, "under way");
        peer.SendHeaders(1, new HeaderList { { "x-trailer", "new in the table" } }, endStream: true);
        peer.SendWindowUpdate(1, 10);
        peer.SendReset(1, Http2ErrorCode.CANCEL);
        peer.ExpectNothing();
        Assert.Equal(["headers 1", "closed 1"], peer.Handler.TakeEvents());

        peer.SendHeaders(3, new HeaderList { { ":method", "CONNECT" }, { ":authority", "a:1" }, { "x-trailer", "new in the table" } });
        Assert.Equal("new in the table", peer.Handler.Headers(3)[0].Get("x-trailer"));
    }

    [Fact]
    public void WindowUpdateAndReset_AfterStreamFinished_AreIgnored()
    {
        var peer = FinishedStream();
        peer.SendWindowUpdate(1, 10);
        peer.SendReset(1, Http2ErrorCode.CANCEL);
        peer.ExpectNothing();
        Assert.False(peer.Connection.IsClosed);
    }

    [Fact]
    public void Headers_AfterStreamFinished_EndTheConnection()
    {
        var peer = FinishedStream();
        peer.SendConnect(1);
        Assert.Equal(Http2ErrorCode.STREAM_CLOSED, peer.Expect("GOAWAY").ErrorCode);
        Assert.Equal(Http2ErrorCode.STREAM_CLOSED, peer.Handler.Error!.Code);
    }

    [Fact]
    public void Headers_OnSkippedStream_EndTheConnection()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(5);
        peer.SendConnect(3);
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, peer.Expect("GOAWAY").ErrorCode);
    }

    [Theory]
    [InlineData("DATA", 0, 1, "61")]
    [InlineData("RST_STREAM", 0, 1, "00000008")]
    [InlineData("WINDOW_UPDATE", 0, 1, "00000008")]
    [InlineData("HEADERS", 4, 2, "82")]
    [InlineData("DATA", 0, 0, "61")]
    [InlineData("HEADERS", 4, 0, "82")]
    [InlineData("RST_STREAM", 0, 0, "00000008")]
    [InlineData("PRIORITY", 0, 0, "0000000000")]
    [InlineData("SETTINGS", 0, 1, "")]
    [InlineData("PING", 0, 1, "0000000000000000")]
    [InlineData("GOAWAY", 0, 1, "0000000000000000")]
    [InlineData("PUSH_PROMISE", 4, 1, "0000000282")]
    public void Frame_WhereItMustNotBe_EndsTheConnection(string type, int flags, uint stream, string payload)
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendFrame(type, flags, stream, Convert.FromHexString(payload));
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, peer.Expect("GOAWAY").ErrorCode);
        Assert.Equal(["error PROTOCOL_ERROR"], peer.Handler.Events);
    }

    [Theory]
    [InlineData("PING", 0, 0, "00000000000000")]
    [InlineData("PING", 0, 0, "000000000000000000")]
    [InlineData("WINDOW_UPDATE", 0, 0, "000000")]
    [InlineData("RST_STREAM", 0, 1, "0000000000")]
    [InlineData("SETTINGS", 0, 0, "0000000000")]
    [InlineData("SETTINGS", 1, 0, "000000000000")]
    [InlineData("GOAWAY", 0, 0, "00000000")]
    [InlineData("DATA", 8, 1, "")]
    public void Frame_OfWrongSize_EndsTheConnection(string type, int flags, uint stream, string payload)
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        peer.SendFrame(type, flags, stream, Convert.FromHexString(payload));
        Assert.Equal(Http2ErrorCode.FRAME_SIZE_ERROR, peer.Expect("GOAWAY").ErrorCode);
    }

    [Fact]
    public void Frame_AboveMaxFrameSize_EndsTheConnectionBeforeItsPayloadComes()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        peer.SendRaw([0x10, 0x00, 0x01, 0, 0, 0, 0, 0, 1]);
        Assert.Equal(Http2ErrorCode.FRAME_SIZE_ERROR, peer.Expect("GOAWAY").ErrorCode);
    }

    [Fact]
    public void UnknownFrameTypesAndPriority_AreIgnored()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendFrame(0x42, 0xff, 0, new byte[100]);
        peer.SendFrame("PRIORITY", 0, 7, new byte[5]);
        peer.SendConnect(1);
        peer.SendFrame(0x42, 0xff, 1, new byte[100_000]);
        peer.ExpectNothing();
        Assert.Equal(["headers 1"], peer.Handler.Events);
    }

    [Fact]
    public void Priority_OfWrongSize_ResetsItsStream()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        peer.SendFrame("PRIORITY", 0, 1, new byte[4]);
        Assert.Equal(Http2ErrorCode.FRAME_SIZE_ERROR, peer.Expect("RST_STREAM", 1).ErrorCode);
        Assert.False(peer.Connection.IsClosed);
    }

    [Fact]
    public void Padding_OfDataAndHeaders_IsTakenOff()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        var block = peer.Encode(HeaderList.Connect("a:1"));
        peer.SendFrame("HEADERS", 4 | 8 | 0x20, 1, [3, 0x80, 0, 0, 0, 200, .. block, 0, 0, 0]);
        peer.SendPaddedData(1, "text", 200);
        peer.SendPaddedData(1, "", 0);
        peer.SendPaddedData(1, "more", 1, endStream: true);

        Assert.Equal("a:1", peer.Handler.Headers(1)[0].Authority);
        Assert.Equal("textmore", peer.Handler.Text(1));
        Assert.Equal(["headers 1", "data 1 8", "end 1"], peer.Handler.Events);
    }

    [Theory]
    [InlineData("DATA", 8, "05000000")]
    [InlineData("DATA", 8, "01")]
    [InlineData("HEADERS", 12, "0582")]
    public void Padding_LongerThanItsFrame_EndsTheConnection(string type, int flags, string payload)
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        peer.SendFrame(type, flags, 1, Convert.FromHexString(payload));
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, peer.Expect("GOAWAY").ErrorCode);
    }

    [Fact]
    public void Streams_BeyondTheLimit_AreRefusedAndTheConnectionStays()
    {
        var peer = ScriptedHttp2Peer.OfServer(Http2Options.ForServer with { MaxConcurrentStreams = 2 });
        peer.SendConnect(1);
        peer.SendConnect(3);
        peer.SendConnect(5);
        peer.SendData(5, "under way");

        Assert.Equal("RST_STREAM 5 REFUSED_STREAM", Assert.Single(peer.Take()).ToString());
        Assert.Equal(["headers 1", "headers 3"], peer.Handler.TakeEvents());

        peer.SendReset(1, Http2ErrorCode.CANCEL);
        peer.SendConnect(7);
        Assert.Equal(["reset 1 CANCEL peer", "closed 1", "headers 7"], peer.Handler.Events);
    }

    [Fact]
    public void Streams_BeforeOurSettingsAreAcknowledged_AreNotHeldToALimitThatThePeerCannotKnow()
    {
        var peer = ScriptedHttp2Peer.OfServer(Http2Options.ForServer with { MaxConcurrentStreams = 2 }, handshake: false);
        peer.SendPreface();
        peer.SendSettings();
        for (var i = 0u; i < 100; i++)
            peer.SendConnect(1 + (2 * i));
        Assert.Equal(100, peer.Connection.ActiveStreams);
        peer.SendConnect(201);
        Assert.Equal("RST_STREAM 201 REFUSED_STREAM", peer.Take()[^1].ToString());

        peer.SendSettingsAck();
        for (var i = 0u; i < 98; i++)
            peer.SendReset(1 + (2 * i), Http2ErrorCode.CANCEL);
        peer.Take();
        peer.SendConnect(203);
        Assert.Equal("RST_STREAM 203 REFUSED_STREAM", Assert.Single(peer.Take()).ToString());
    }

    [Fact]
    public void OwnerCalls_OnClosedStream_DoNothing()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        var stream = peer.Handler.Stream(1);
        peer.SendReset(1, Http2ErrorCode.CANCEL);

        stream.SendHeaders(HeaderList.Response(200), endStream: false);
        Assert.Equal(0, stream.Write("x"u8));
        Assert.True(stream.GetDataBuffer(10).IsEmpty);
        stream.EndStream();
        stream.Reset(Http2ErrorCode.CANCEL);
        stream.Consume(5);
        peer.ExpectNothing();
    }

    [Fact]
    public void OwnerCalls_InWrongOrder_Throw()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        var stream = peer.Handler.Stream(1);
        Assert.Throws<InvalidOperationException>(() => stream.Write("x"u8));
        stream.SendHeaders(HeaderList.Response(200), endStream: false);
        Assert.Throws<InvalidOperationException>(() => stream.SendHeaders(HeaderList.Response(200), endStream: false));
        stream.EndStream();
        Assert.Throws<InvalidOperationException>(() => stream.Write("x"u8));
    }

    private static ScriptedHttp2Peer FinishedStream()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        peer.Handler.Stream(1).SendHeaders(HeaderList.Response(200), endStream: false);
        peer.SendData(1, "a", endStream: true);
        peer.Handler.Stream(1).EndStream();
        peer.Take();
        return peer;
    }
}
