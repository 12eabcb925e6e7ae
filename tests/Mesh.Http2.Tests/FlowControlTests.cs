using Mesh.Testing.Http2;

namespace Mesh.Http2.Tests;

/// <summary>RFC 9113, 5.2 and 6.9.</summary>
public sealed class FlowControlTests
{
    private const int InitialWindowSize = 4;
    private const int DefaultWindow = 65535;

    [Fact]
    public void Write_BeyondTheStreamWindow_IsShortAndGoesOnAfterAnUpdate()
    {
        var peer = Connected(out var stream, streamWindow: 10);
        Assert.Equal(10, stream.SendCredit);
        Assert.Equal(10, stream.Write(new byte[25], endStream: true));
        Assert.Equal("DATA 1 10", peer.Expect("DATA").ToString());
        Assert.Equal(0, stream.Write(new byte[15]));
        peer.ExpectNothing();

        peer.SendWindowUpdate(1, 15);
        Assert.Equal(["writable 1"], peer.Handler.TakeEvents());
        Assert.Equal(15, stream.Write(new byte[15], endStream: true));
        Assert.Equal("DATA 1 15 end", peer.Expect("DATA").ToString());
    }

    [Fact]
    public void EndStream_WithoutCredit_IsSent()
    {
        var peer = Connected(out var stream, streamWindow: 0);
        Assert.Equal(0, stream.Write("x"u8));
        stream.EndStream();
        Assert.Equal("DATA 1 0 end", peer.Expect("DATA").ToString());
    }

    [Fact]
    public void InitialWindow_LoweredBelowWhatWasSent_MakesTheWindowNegative()
    {
        var peer = Connected(out var stream, streamWindow: DefaultWindow);
        Assert.Equal(60000, stream.Write(new byte[60000]));
        peer.SendSettings((InitialWindowSize, 16384));
        peer.Take();

        // 65535 - 60000 - (65535 - 16384) = -43616: the worked example of the send window.
        Assert.Equal(0, stream.SendCredit);
        Assert.Equal(0, stream.Write("x"u8));
        peer.SendWindowUpdate(0, 1_000_000);
        peer.SendWindowUpdate(1, 43616);
        Assert.Equal(0, stream.Write("x"u8));
        Assert.DoesNotContain("writable 1", peer.Handler.Events);

        peer.SendWindowUpdate(1, 1);
        Assert.Contains("writable 1", peer.Handler.Events);
        Assert.Equal(1, stream.Write("xy"u8));
    }

    [Fact]
    public void InitialWindow_Raised_WakesStreamsThatWait()
    {
        var peer = Connected(out var stream, streamWindow: 3);
        Assert.Equal(3, stream.Write("12345"u8));
        peer.Handler.TakeEvents();
        peer.SendSettings((InitialWindowSize, 5));
        Assert.Equal(["settings", "writable 1"], peer.Handler.Events);
        Assert.Equal(2, stream.Write("45"u8));
    }

    [Fact]
    public void ConnectionWindow_Exhausted_WakesWaitersInOrder()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendSettings((InitialWindowSize, 1_000_000));
        foreach (var id in (uint[])[1, 3, 5])
        {
            peer.SendConnect(id);
            peer.Handler.Stream(id).SendHeaders(HeaderList.Response(200), endStream: false);
        }

        Assert.Equal(DefaultWindow, peer.Handler.Stream(3).Write(new byte[100_000]));
        Assert.Equal(0, peer.Handler.Stream(1).Write(new byte[10]));
        Assert.Equal(0, peer.Handler.Stream(5).Write(new byte[10]));
        peer.Take();
        peer.Handler.TakeEvents();

        peer.Handler.WhenWritable = s => s.Write(new byte[100]);
        peer.SendWindowUpdate(0, 250);
        Assert.Equal(["writable 3", "writable 1", "writable 5"], peer.Handler.TakeEvents());
        Assert.Equal(["DATA 3 100", "DATA 1 100", "DATA 5 50"], peer.Take().Select(f => f.ToString()));

        peer.SendWindowUpdate(0, 1);
        Assert.Equal(["writable 5"], peer.Handler.TakeEvents());
    }

    [Fact]
    public void Waiter_ThatIsReset_IsNotWoken()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendSettings((InitialWindowSize, 1_000_000));
        foreach (var id in (uint[])[1, 3, 5])
        {
            peer.SendConnect(id);
            peer.Handler.Stream(id).SendHeaders(HeaderList.Response(200), endStream: false);
            peer.Handler.Stream(id).Write(new byte[70_000]);
        }

        peer.SendReset(3, Http2ErrorCode.CANCEL);
        peer.Handler.TakeEvents();
        peer.SendWindowUpdate(0, 1000);
        Assert.Equal(["writable 1", "writable 5"], peer.Handler.Events);
    }

    [Fact]
    public void WindowUpdate_OfZero_EndsStreamOrConnection()
    {
        var peer = Connected(out _, DefaultWindow);
        peer.SendWindowUpdate(1, 0);
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, peer.Expect("RST_STREAM", 1).ErrorCode);
        peer.SendWindowUpdate(0, 0);
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, peer.Expect("GOAWAY").ErrorCode);
    }

    [Fact]
    public void WindowUpdate_Above31Bits_EndsStreamOrConnection()
    {
        var peer = Connected(out _, DefaultWindow);
        peer.SendWindowUpdate(1, 0x7fffffff);
        Assert.Equal(Http2ErrorCode.FLOW_CONTROL_ERROR, peer.Expect("RST_STREAM", 1).ErrorCode);
        Assert.Contains("reset 1 FLOW_CONTROL_ERROR own", peer.Handler.Events);
        peer.SendWindowUpdate(0, 0x7fffffff);
        Assert.Equal(Http2ErrorCode.FLOW_CONTROL_ERROR, peer.Expect("GOAWAY").ErrorCode);
    }

    [Fact]
    public void InitialWindow_ThatOverflowsAStream_EndsTheConnection()
    {
        var peer = Connected(out _, DefaultWindow);
        peer.SendWindowUpdate(1, 0x7fffffff - DefaultWindow);
        peer.SendSettings((InitialWindowSize, DefaultWindow + 1));
        Assert.Equal(Http2ErrorCode.FLOW_CONTROL_ERROR, peer.Expect("GOAWAY").ErrorCode);
    }

    [Fact]
    public void Data_RightAtTheStreamWindow_IsTakenAndOneMoreOctetResets()
    {
        var peer = ScriptedHttp2Peer.OfServer(Http2Options.ForServer with { InitialWindowSize = 70_000 }, handler: new RecordingHttp2Handler { ConsumeAtOnce = false });
        peer.SendConnect(1);
        peer.SendData(1, new byte[70_000]);
        Assert.Equal(70_000, peer.Handler.Stream(1).UnconsumedBytes);
        peer.ExpectNothing();

        peer.SendData(1, new byte[1]);
        Assert.Equal(Http2ErrorCode.FLOW_CONTROL_ERROR, peer.Expect("RST_STREAM", 1).ErrorCode);
        Assert.False(peer.Connection.IsClosed);
    }

    [Fact]
    public void Data_BeyondTheConnectionWindow_EndsTheConnection()
    {
        var options = Http2Options.ForServer with { InitialWindowSize = 100_000, ConnectionWindowSize = 100_000 };
        var peer = ScriptedHttp2Peer.OfServer(options, handler: new RecordingHttp2Handler { ConsumeAtOnce = false });
        peer.SendConnect(1);
        peer.SendConnect(3);
        peer.SendData(1, new byte[60_000]);
        peer.SendData(3, new byte[40_001]);
        Assert.Equal(Http2ErrorCode.FLOW_CONTROL_ERROR, peer.Expect("GOAWAY").ErrorCode);
    }

    [Fact]
    public void Consume_OfHalfAWindow_UpdatesStreamAndConnectionTogether()
    {
        var options = Http2Options.ForServer with { InitialWindowSize = 100_000, ConnectionWindowSize = 400_000 };
        var peer = ScriptedHttp2Peer.OfServer(options, handler: new RecordingHttp2Handler { ConsumeAtOnce = false });
        peer.SendConnect(1);
        var stream = peer.Handler.Stream(1);
        peer.SendData(1, new byte[80_000]);

        stream.Consume(49_999);
        peer.ExpectNothing();
        stream.Consume(1);
        Assert.Equal(["WINDOW_UPDATE 1 50000", "WINDOW_UPDATE 0 50000"], peer.Take().Select(f => f.ToString()));
        Assert.Equal(30_000, stream.UnconsumedBytes);
        Assert.Equal(70_000, stream.ReceiveCredit);
    }

    [Fact]
    public void Consume_AfterPeersEnd_UpdatesTheConnectionOnly()
    {
        var options = Http2Options.ForServer with { InitialWindowSize = 100_000, ConnectionWindowSize = 100_000 };
        var peer = ScriptedHttp2Peer.OfServer(options, handler: new RecordingHttp2Handler { ConsumeAtOnce = false });
        peer.SendConnect(1);
        peer.SendData(1, new byte[80_000], endStream: true);
        peer.Handler.Stream(1).Consume(80_000);
        Assert.Equal("WINDOW_UPDATE 0 80000", Assert.Single(peer.Take()).ToString());
    }

    [Fact]
    public void Consume_OfMoreThanWasReceived_Throws()
    {
        var peer = ScriptedHttp2Peer.OfServer(handler: new RecordingHttp2Handler { ConsumeAtOnce = false });
        peer.SendConnect(1);
        peer.SendData(1, new byte[10]);
        Assert.Throws<ArgumentOutOfRangeException>(() => peer.Handler.Stream(1).Consume(11));
    }

    [Fact]
    public void Reset_WithUnconsumedData_GivesTheConnectionItsCreditBack()
    {
        var options = Http2Options.ForServer with { InitialWindowSize = 100_000, ConnectionWindowSize = 100_000 };
        var peer = ScriptedHttp2Peer.OfServer(options, handler: new RecordingHttp2Handler { ConsumeAtOnce = false });
        peer.SendConnect(1);
        peer.SendData(1, new byte[60_000]);
        peer.SendReset(1, Http2ErrorCode.CANCEL);

        Assert.Equal("WINDOW_UPDATE 0 60000", Assert.Single(peer.Take()).ToString());
        Assert.Equal(0, peer.Handler.Stream(1).UnconsumedBytes);
        peer.Handler.Stream(1).Consume(60_000);
        peer.ExpectNothing();
    }

    [Fact]
    public void RegularEnd_WithUnconsumedData_KeepsItChargedUntilConsumed()
    {
        var options = Http2Options.ForServer with { InitialWindowSize = 100_000, ConnectionWindowSize = 100_000 };
        var peer = ScriptedHttp2Peer.OfServer(options, handler: new RecordingHttp2Handler { ConsumeAtOnce = false });
        peer.SendConnect(1);
        var stream = peer.Handler.Stream(1);
        stream.SendHeaders(HeaderList.Response(200), endStream: false);
        peer.SendData(1, new byte[60_000], endStream: true);
        stream.EndStream();
        Assert.Equal(Http2StreamState.Closed, stream.State);
        peer.Take();

        stream.Consume(60_000);
        Assert.Equal("WINDOW_UPDATE 0 60000", Assert.Single(peer.Take()).ToString());
    }

    [Fact]
    public void Data_OnStreamsWeReset_IsGivenBackToTheConnection()
    {
        var options = Http2Options.ForServer with { ConnectionWindowSize = 100_000 };
        var peer = ScriptedHttp2Peer.OfServer(options);
        peer.SendConnect(1);
        peer.Handler.Stream(1).Reset(Http2ErrorCode.CANCEL);
        peer.Take();
        peer.SendData(1, new byte[50_000]);
        Assert.Equal("WINDOW_UPDATE 0 50000", Assert.Single(peer.Take()).ToString());
    }

    [Fact]
    public void ResetInTheMiddleOfAFrame_DiscardsAndCreditsTheRest()
    {
        var options = Http2Options.ForServer with { ConnectionWindowSize = 100_000 };
        var handler = new RecordingHttp2Handler { ConsumeAtOnce = false, WhenData = (s, _) => s.Reset(Http2ErrorCode.CANCEL) };
        var peer = ScriptedHttp2Peer.OfServer(options, handler: handler);
        peer.SendConnect(1);
        peer.SendRaw([0x00, 0xc3, 0x50, 0, 0, 0, 0, 0, 1, 1, 2, 3]);
        peer.SendRaw(new byte[49_997]);

        Assert.Equal(3, handler.Body(1).Length);
        Assert.Equal(["RST_STREAM 1 CANCEL", "WINDOW_UPDATE 0 50000"], peer.Take().Select(f => f.ToString()));
        peer.SendConnect(3);
        Assert.True(handler.HasSeen(3), "the engine found the next frame");
    }

    [Fact]
    public void Padding_IsGivenBackWithoutTheOwner()
    {
        var options = Http2Options.ForServer with { InitialWindowSize = 70_000, ConnectionWindowSize = 1_000_000 };
        var peer = ScriptedHttp2Peer.OfServer(options, handler: new RecordingHttp2Handler { ConsumeAtOnce = false });
        peer.SendConnect(1);
        for (var i = 0; i < 137; i++)
            peer.SendPaddedData(1, "", 255);
        Assert.Equal(["WINDOW_UPDATE 1 35072", "WINDOW_UPDATE 0 35072"], peer.Take().Select(f => f.ToString()));
        Assert.Equal(0, peer.Handler.Stream(1).UnconsumedBytes);
    }

    [Fact]
    public void SmallerWindow_HoldsOnlyAfterItsAcknowledgement()
    {
        var options = Http2Options.ForServer with { InitialWindowSize = 100 };
        var peer = ScriptedHttp2Peer.OfServer(options, handshake: false, handler: new RecordingHttp2Handler { ConsumeAtOnce = false });
        peer.SendPreface();
        peer.SendSettings();
        peer.SendConnect(1);
        peer.SendData(1, new byte[DefaultWindow]);
        Assert.Equal(DefaultWindow, peer.Handler.Stream(1).UnconsumedBytes);

        peer.SendSettingsAck();
        Assert.True(peer.Handler.Stream(1).ReceiveCredit < 0);
        peer.SendData(1, "", endStream: true); // an end needs no credit
        Assert.Equal(["headers 1", "data 1 65535", "end 1"], peer.Handler.TakeEvents().Skip(1));
        peer.SendConnect(3);
        peer.SendData(3, new byte[101]);
        Assert.Equal(["reset 3 FLOW_CONTROL_ERROR own", "closed 3"], peer.Handler.Events.TakeLast(2));
    }

    [Fact]
    public void SmallerWindow_MakesWhatIsOwedDueAtItsAcknowledgement()
    {
        var peer = ScriptedHttp2Peer.OfServer(Http2Options.ForServer with { InitialWindowSize = 100 }, handshake: false);
        peer.SendPreface();
        peer.SendSettings();
        peer.SendConnect(1);
        peer.SendData(1, new byte[1000]);
        Assert.DoesNotContain(peer.Take(), f => f.StreamId == 1);

        // The peer now stands at 100 - 1000 and could not go on without this.
        peer.SendSettingsAck();
        Assert.Equal("WINDOW_UPDATE 1 1000", Assert.Single(peer.Take()).ToString());
        Assert.Equal(100, peer.Handler.Stream(1).ReceiveCredit);
    }

    private static ScriptedHttp2Peer Connected(out Http2Stream stream, int streamWindow)
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendSettings((InitialWindowSize, (uint)streamWindow));
        peer.SendConnect(1);
        stream = peer.Handler.Stream(1);
        stream.SendHeaders(HeaderList.Response(200), endStream: false);
        peer.Take();
        peer.Handler.TakeEvents();
        return peer;
    }
}
