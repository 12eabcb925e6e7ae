using Mesh.Testing.Http2;

namespace Mesh.Http2.Tests;

/// <summary>RFC 9113, 3.4 and 6.5: the handshake, and settings that change while streams run.</summary>
public sealed class SettingsTests
{
    private const int HeaderTableSize = 1;
    private const int EnablePush = 2;
    private const int MaxConcurrentStreams = 3;
    private const int InitialWindowSize = 4;
    private const int MaxFrameSize = 5;

    [Fact]
    public void Server_Announces_OnlyWhatItEnforces()
    {
        var peer = ScriptedHttp2Peer.OfServer(handshake: false);
        Assert.Equal(["MAX_CONCURRENT_STREAMS=200", "INITIAL_WINDOW_SIZE=4194304", "MAX_FRAME_SIZE=1048576", "MAX_HEADER_LIST_SIZE=65536"], peer.Expect("SETTINGS").Settings);
        Assert.Equal("WINDOW_UPDATE 0 16711681", peer.Expect("WINDOW_UPDATE").ToString());
        peer.ExpectNothing();
    }

    [Fact]
    public void HeaderTableSize_OtherThanTheDefault_IsAnnouncedFirst()
    {
        var peer = ScriptedHttp2Peer.OfServer(Http2Options.ForServer with { HeaderTableSize = 0, ConnectionWindowSize = 65535 }, handshake: false);
        Assert.Equal("HEADER_TABLE_SIZE=0", peer.Expect("SETTINGS").Settings[0]);
        peer.ExpectNothing();
    }

    [Fact]
    public void HeaderTableSize_ReducedAndAcknowledged_MustBeConfirmedByTheNextBlock()
    {
        var peer = ScriptedHttp2Peer.OfServer(Http2Options.ForServer with { HeaderTableSize = 0 });
        peer.SendConnect(1);
        Assert.Equal(Http2ErrorCode.COMPRESSION_ERROR, peer.Expect("GOAWAY").ErrorCode);

        var confirmed = ScriptedHttp2Peer.OfServer(Http2Options.ForServer with { HeaderTableSize = 0 });
        confirmed.SendFrame("HEADERS", 4, 1, [0x20, 0x02, 0x07, .. "CONNECT"u8, 0x01, 0x03, .. "a:1"u8]);
        Assert.Equal(["headers 1"], confirmed.Handler.Events);
    }

    [Fact]
    public void Client_SendsRequest_BeforeThePeersSettings()
    {
        var peer = ScriptedHttp2Peer.OfClient(handshake: false);
        Assert.True(peer.Connection.CanOpenStream);
        peer.Connection.OpenStream(HeaderList.Connect("a:1"), endStream: false);
        Assert.Equal(["SETTINGS", "WINDOW_UPDATE 0 16711681", "HEADERS 1"], peer.Take().Select(f => f.ToString()));
    }

    [Fact]
    public void FirstFrame_OtherThanSettings_EndsTheConnection()
    {
        var peer = ScriptedHttp2Peer.OfServer(handshake: false);
        peer.SendPreface();
        peer.SendPing(1);
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, peer.Handler.Error!.Code);

        var acked = ScriptedHttp2Peer.OfClient(handshake: false);
        acked.SendSettingsAck();
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, acked.Handler.Error!.Code);
    }

    [Fact]
    public void Preface_ThatIsSomethingElse_EndsTheConnectionAtTheFirstWrongOctet()
    {
        var peer = ScriptedHttp2Peer.OfServer(handshake: false);
        peer.SendRaw("PRI * HTTP/"u8);
        Assert.Null(peer.Handler.Error);
        peer.SendRaw("1.1"u8);
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, peer.Handler.Error!.Code);
        peer.SendPreface();
        Assert.Equal(["error PROTOCOL_ERROR"], peer.Handler.Events);
    }

    [Theory]
    [InlineData(EnablePush, 2u, Http2ErrorCode.PROTOCOL_ERROR)]
    [InlineData(InitialWindowSize, 0x80000000u, Http2ErrorCode.FLOW_CONTROL_ERROR)]
    [InlineData(MaxFrameSize, 16383u, Http2ErrorCode.PROTOCOL_ERROR)]
    [InlineData(MaxFrameSize, 16777216u, Http2ErrorCode.PROTOCOL_ERROR)]
    public void Setting_WithIllegalValue_EndsTheConnection(int id, uint value, Http2ErrorCode expected)
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendSettings((id, value));
        Assert.Equal(expected, peer.Expect("GOAWAY").ErrorCode);
    }

    [Fact]
    public void EnablePush_OfAServer_EndsTheClientsConnection()
    {
        var peer = ScriptedHttp2Peer.OfClient();
        peer.SendSettings((EnablePush, 0));
        Assert.False(peer.Connection.IsClosed);
        peer.SendSettings((EnablePush, 1));
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, peer.Handler.Error!.Code);
    }

    [Fact]
    public void UnknownSettings_AreIgnoredAndAcknowledged()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendSettings((0x99, 7), (MaxFrameSize, 20000));
        Assert.True(peer.Expect("SETTINGS").Ack);
        Assert.Equal(20000, peer.Connection.PeerMaxFrameSize);
        Assert.Equal(["settings"], peer.Handler.Events);
    }

    [Fact]
    public void MaxFrameSize_CutsData_AndRaisingItMidStreamLengthensFrames()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendSettings((InitialWindowSize, 1 << 20));
        peer.SendWindowUpdate(0, 1 << 20);
        peer.SendConnect(1);
        var stream = peer.Handler.Stream(1);
        stream.SendHeaders(HeaderList.Response(200), endStream: false);
        peer.Take();

        stream.Write(new byte[40_000]);
        Assert.Equal(["DATA 1 16384", "DATA 1 16384", "DATA 1 7232"], peer.Take().Select(f => f.ToString()));
        peer.SendSettings((MaxFrameSize, 1 << 20));
        peer.Take();
        stream.Write(new byte[400_000]);
        Assert.Equal(["DATA 1 262144", "DATA 1 137856"], peer.Take().Select(f => f.ToString()));
    }

    [Fact]
    public void InitialWindow_GivenTwiceInOneFrame_LastOneCounts()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        peer.Handler.Stream(1).SendHeaders(HeaderList.Response(200), endStream: false);
        peer.SendSettings((InitialWindowSize, 0), (InitialWindowSize, 9));
        Assert.Equal(9, peer.Handler.Stream(1).SendCredit);
    }

    [Fact]
    public void MaxConcurrentStreams_LimitsAClient_AndFreedOrRaisedSlotsAreReported()
    {
        var peer = ScriptedHttp2Peer.OfClient();
        peer.SendSettings((MaxConcurrentStreams, 1));
        var first = peer.Connection.OpenStream(HeaderList.Connect("a:1"), endStream: false);
        Assert.False(peer.Connection.CanOpenStream);
        Assert.Throws<InvalidOperationException>(() => peer.Connection.OpenStream(HeaderList.Connect("a:1"), endStream: false));
        peer.Handler.TakeEvents();

        first.Reset(Http2ErrorCode.CANCEL);
        Assert.Equal(["closed 1", "streams available"], peer.Handler.TakeEvents());
        peer.Connection.OpenStream(HeaderList.Connect("a:1"), endStream: false);
        peer.SendSettings((MaxConcurrentStreams, 5));
        Assert.Equal(["settings", "streams available"], peer.Handler.TakeEvents());
        Assert.Equal(5u, peer.Connection.PeerMaxConcurrentStreams);
    }

    [Fact]
    public void MaxConcurrentStreams_BelowWhatIsOpen_LeavesStreamsToThePeersDecision()
    {
        var peer = ScriptedHttp2Peer.OfClient(handshake: false);
        for (var i = 0; i < 3; i++)
            peer.Connection.OpenStream(HeaderList.Connect("a:1"), endStream: false);
        peer.SendSettings((MaxConcurrentStreams, 1));
        Assert.Equal(3, peer.Connection.ActiveStreams);
        Assert.False(peer.Connection.CanOpenStream);

        peer.SendReset(3, Http2ErrorCode.REFUSED_STREAM);
        peer.SendReset(5, Http2ErrorCode.REFUSED_STREAM);
        Assert.Equal(["settings", "reset 3 REFUSED_STREAM peer", "closed 3", "reset 5 REFUSED_STREAM peer", "closed 5"], peer.Handler.Events);
        Assert.False(peer.Connection.IsClosed);
    }

    [Fact]
    public void Client_BeforeThePeersSettings_OpensNoMoreThanAssumed()
    {
        var peer = ScriptedHttp2Peer.OfClient(Http2Options.ForClient with { InitialPeerMaxConcurrentStreams = 2 }, handshake: false);
        peer.Connection.OpenStream(HeaderList.Connect("a:1"), endStream: false);
        peer.Connection.OpenStream(HeaderList.Connect("a:1"), endStream: false);
        Assert.False(peer.Connection.CanOpenStream);
        peer.SendSettings((MaxConcurrentStreams, 3));
        Assert.Equal(["settings", "streams available"], peer.Handler.Events);
    }

    [Fact]
    public void HeaderTableSize_OfThePeer_MakesOurEncoderAnnounceTheChange()
    {
        var peer = ScriptedHttp2Peer.OfClient();
        peer.Connection.OpenStream(HeaderList.Connect("198.18.1.41:8080"), endStream: false);
        peer.SendSettings((HeaderTableSize, 0));
        peer.SendSettings((HeaderTableSize, 100));
        peer.Take();

        // 4.2 of RFC 7541: both the lowest and the last size, 0 and 100 = 31 + 69.
        peer.Connection.OpenStream(HeaderList.Connect("198.18.1.41:8080"), endStream: false);
        var block = peer.Expect("HEADERS").Payload;
        Assert.Equal("203f45", Convert.ToHexStringLower(block.AsSpan(0, 3)));
    }

    [Fact]
    public void Options_OutsideTheProtocol_AreRefused()
    {
        var handler = new RecordingHttp2Handler();
        Assert.Throws<ArgumentOutOfRangeException>(() => new Http2Connection(Http2Role.Client, Http2Options.ForClient with { MaxFrameSize = 1000 }, handler));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Http2Connection(Http2Role.Client, Http2Options.ForClient with { MaxFrameSize = 1 << 24 }, handler));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Http2Connection(Http2Role.Client, Http2Options.ForClient with { InitialWindowSize = -1 }, handler));
    }
}
