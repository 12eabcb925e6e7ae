using Mesh.Testing.Http2;

namespace Mesh.Http2.Tests;

/// <summary>RFC 9113, 6.8: both ends of a shutdown.</summary>
public sealed class GoAwayTests
{
    [Fact]
    public void Drain_StreamsUnderWay_AreServedUntilThePingIsAnswered()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        peer.Connection.BeginGracefulShutdown();
        Assert.True(peer.Connection.IsDraining);
        Assert.Equal(0x7fffffffu, peer.Expect("GOAWAY").LastStreamId);
        var ping = peer.Expect("PING");

        peer.SendConnect(3);
        Assert.True(peer.Handler.HasSeen(3));
        peer.SendPing(ping.Opaque, ack: true);
        Assert.Equal(3u, peer.Expect("GOAWAY").LastStreamId);
        Assert.DoesNotContain("drained", peer.Handler.Events);
        Assert.DoesNotContain(peer.Handler.Events, e => e.StartsWith("ping", StringComparison.Ordinal));
    }

    [Fact]
    public void Drain_StreamAfterTheLastGoAway_GetsNoAnswer()
    {
        var peer = Drained(out _);
        peer.SendHeaders(3, new HeaderList { { ":method", "CONNECT" }, { ":authority", "b:2" }, { "x-a", "kept in step" } });
        peer.SendData(3, new byte[1000]);
        peer.SendWindowUpdate(3, 5);
        peer.SendReset(3, Http2ErrorCode.CANCEL);
        peer.ExpectNothing();
        Assert.False(peer.Handler.HasSeen(3));

        peer.SendData(1, "still alive");
        Assert.Equal("still alive", peer.Handler.Text(1));
    }

    [Fact]
    public void Drain_LastStreamEnds_IsReportedOnce()
    {
        var peer = Drained(out var stream);
        peer.Handler.TakeEvents();
        peer.SendData(1, "bye", endStream: true);
        stream.EndStream();
        Assert.Equal(["data 1 3", "end 1", "closed 1", "drained"], peer.Handler.Events);
        Assert.False(peer.Connection.IsClosed);
    }

    [Fact]
    public void Drain_IdleConnection_IsReportedWithTheLastGoAway()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.Connection.BeginGracefulShutdown();
        peer.Connection.BeginGracefulShutdown();
        peer.Expect("GOAWAY");
        var ping = peer.Expect("PING");
        Assert.Empty(peer.Handler.Events);
        peer.SendPing(ping.Opaque, ack: true);
        Assert.Equal("GOAWAY 0 NO_ERROR", Assert.Single(peer.Take()).ToString());
        Assert.Equal(["drained"], peer.Handler.Events);
    }

    [Fact]
    public void Drain_OfAClient_SendsOneGoAwayAndOpensNoMore()
    {
        var peer = ScriptedHttp2Peer.OfClient();
        var stream = peer.Connection.OpenStream(HeaderList.Connect("a:1"), endStream: false);
        peer.Take();
        peer.Connection.BeginGracefulShutdown();
        Assert.Equal("GOAWAY 0 NO_ERROR", Assert.Single(peer.Take()).ToString());
        Assert.False(peer.Connection.CanOpenStream);

        peer.SendResponse(1, 200);
        stream.Reset(Http2ErrorCode.CANCEL);
        peer.SendData(1, "late");
        Assert.Equal(["headers 1", "closed 1", "drained"], peer.Handler.Events);
        Assert.Equal("RST_STREAM 1 CANCEL", Assert.Single(peer.Take()).ToString());
    }

    [Fact]
    public void GoAwayFromThePeer_RefusesWhatItLeftOut_AndLetsTheRestFinish()
    {
        var peer = ScriptedHttp2Peer.OfClient();
        for (var i = 0; i < 3; i++)
            peer.Connection.OpenStream(HeaderList.Connect("a:1"), endStream: false);
        peer.SendGoAway(3, Http2ErrorCode.NO_ERROR, "bye");

        Assert.Equal(["goaway 3 NO_ERROR bye", "reset 5 REFUSED_STREAM peer", "closed 5"], peer.Handler.TakeEvents());
        Assert.True(peer.Connection.IsDraining);
        Assert.True(peer.Connection.IsPeerDraining);
        Assert.False(peer.Connection.CanOpenStream);
        peer.SendResponse(3, 200);
        peer.SendData(3, "ok", endStream: true);
        Assert.Equal(["headers 3", "data 3 2", "end 3"], peer.Handler.TakeEvents());
    }

    [Fact]
    public void GoAwayFromThePeer_InTwoSteps_KeepsEverythingAtTheFirst()
    {
        var peer = ScriptedHttp2Peer.OfClient();
        peer.Connection.OpenStream(HeaderList.Connect("a:1"), endStream: false);
        peer.SendGoAway(0x7fffffff, Http2ErrorCode.NO_ERROR);
        peer.SendPing(7);
        Assert.Equal(1, peer.Connection.ActiveStreams);
        peer.SendGoAway(1, Http2ErrorCode.NO_ERROR);
        Assert.Equal(1, peer.Connection.ActiveStreams);
        Assert.Equal(["goaway 2147483647 NO_ERROR", "goaway 1 NO_ERROR"], peer.Handler.Events);
    }

    [Fact]
    public void GoAwayFromThePeer_WithLongDebugData_IsCut()
    {
        var peer = ScriptedHttp2Peer.OfClient();
        peer.SendGoAway(0, Http2ErrorCode.INTERNAL_ERROR, new string('x', 100_000));
        Assert.Equal("goaway 0 INTERNAL_ERROR " + new string('x', 1024), Assert.Single(peer.Handler.Events));
        peer.SendPing(1);
        Assert.True(peer.Expect("PING").Ack);
    }

    [Fact]
    public void GoAway_ByTheOwner_ClosesAtOnceAndSilently()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        peer.Handler.TakeEvents();
        peer.Connection.GoAway(Http2ErrorCode.NO_ERROR);
        Assert.Equal("GOAWAY 1 NO_ERROR", Assert.Single(peer.Take()).ToString());
        Assert.True(peer.Connection.IsClosed);

        peer.SendConnect(3);
        peer.SendData(1, "x");
        peer.Handler.Stream(1).SendHeaders(HeaderList.Response(200), endStream: false);
        peer.ExpectNothing();
        Assert.Empty(peer.Handler.Events);
        Assert.Equal(Http2StreamState.Closed, peer.Handler.Stream(1).State);
    }

    [Fact]
    public void ConnectionError_ReportsOnce_AndNothingFollows()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        peer.Handler.TakeEvents();
        peer.SendWindowUpdate(0, 0);
        peer.SendWindowUpdate(0, 0);
        peer.SendData(1, "x", endStream: true);

        var goAway = Assert.Single(peer.Take());
        Assert.Equal(1u, goAway.LastStreamId);
        Assert.Equal(peer.Handler.Error!.Reason, goAway.Text);
        Assert.Equal(["error PROTOCOL_ERROR"], peer.Handler.Events);
        Assert.Equal(1u, Assert.Single(peer.Connection.Streams).Id);
    }

    private static ScriptedHttp2Peer Drained(out Http2Stream stream)
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        stream = peer.Handler.Stream(1);
        stream.SendHeaders(HeaderList.Response(200), endStream: false);
        peer.Connection.BeginGracefulShutdown();
        peer.SendPing(peer.Take().Single(f => f.Type == "PING").Opaque, ack: true);
        Assert.Equal(1u, peer.Expect("GOAWAY").LastStreamId);
        return peer;
    }
}
