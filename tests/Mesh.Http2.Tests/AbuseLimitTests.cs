using Mesh.Testing.Http2;

namespace Mesh.Http2.Tests;

/// <summary>What a hostile peer may do for free, and how each attack ends. The limits are small here, so that the tests show where they are.</summary>
public sealed class AbuseLimitTests
{
    private static readonly Http2Options Server = Http2Options.ForServer;

    [Fact]
    public void RapidReset_EndsTheConnection_AndTicksGiveBudgetBack()
    {
        var peer = ScriptedHttp2Peer.OfServer(Server with { ResetStreams = new(10, 4) });
        var id = 1u;
        for (var i = 0; i < 10; i++, id += 2)
            OpenAndReset(peer, id);
        Assert.False(peer.Connection.IsClosed);
        peer.Connection.Tick();
        for (var i = 0; i < 4; i++, id += 2)
            OpenAndReset(peer, id);
        Assert.False(peer.Connection.IsClosed);
        OpenAndReset(peer, id);
        AssertCalm(peer);
    }

    [Fact]
    public void Resets_OfAnsweredStreams_CostNothing()
    {
        var peer = ScriptedHttp2Peer.OfServer(Server with { ResetStreams = new(10, 4) });
        peer.Handler.WhenHeaders = (s, _, _) => s.SendHeaders(HeaderList.Response(200), endStream: false);
        for (var id = 1u; id < 2000; id += 2)
        {
            OpenAndReset(peer, id);
            peer.Take();
        }

        Assert.False(peer.Connection.IsClosed);
    }

    [Fact]
    public void MadeYouReset_ByZeroWindowUpdates_EndsTheConnection()
    {
        var peer = ScriptedHttp2Peer.OfServer(Server with { ResetStreams = new(10, 4) });
        for (var id = 1u; id < 100 && !peer.Connection.IsClosed; id += 2)
        {
            peer.SendConnect(id);
            peer.SendWindowUpdate(id, 0);
        }

        AssertCalm(peer);
        Assert.Equal(10, peer.Handler.Events.Count(e => e.StartsWith("reset", StringComparison.Ordinal)));
    }

    [Fact]
    public void MalformedRequests_InNumbers_EndTheConnection()
    {
        var peer = ScriptedHttp2Peer.OfServer(Server with { ResetStreams = new(10, 4) });
        for (var id = 1u; id < 100; id += 2)
            peer.SendHeaders(id, new HeaderList { { ":method", "GET" } });
        AssertCalm(peer);
    }

    [Fact]
    public void RefusedStreams_InNumbers_EndTheConnection()
    {
        var peer = ScriptedHttp2Peer.OfServer(Server with { MaxConcurrentStreams = 1, RefusedStreams = new(10, 4) });
        for (var id = 1u; id <= 21; id += 2)
            peer.SendConnect(id);
        Assert.False(peer.Connection.IsClosed);
        peer.SendConnect(23);
        AssertCalm(peer);
    }

    [Theory]
    [InlineData("PING", 0, 8)]
    [InlineData("SETTINGS", 0, 0)]
    [InlineData("SETTINGS", 1, 0)]
    [InlineData("PING", 1, 8)]
    [InlineData("GOAWAY", 0, 8)]
    [InlineData("PRIORITY", 0, 5)]
    public void ControlFrames_InFloods_EndTheConnection(string type, int flags, int length)
    {
        var limits = Server with { PingFrames = new(20, 1), SettingsFrames = new(20, 1), IgnoredFrames = new(20, 1) };
        var peer = ScriptedHttp2Peer.OfServer(limits);
        for (var i = 0; i < 18; i++)
            peer.SendFrame(type, flags, type == "PRIORITY" ? 1u : 0u, new byte[length]);
        Assert.False(peer.Connection.IsClosed);
        for (var i = 0; i < 5; i++)
            peer.SendFrame(type, flags, type == "PRIORITY" ? 1u : 0u, new byte[length]);
        AssertCalm(peer);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    public void SmallDataFrames_InFloods_EndTheConnection(int length)
    {
        var peer = ScriptedHttp2Peer.OfServer(Server with { EmptyDataFrames = new(20, 1), TinyDataFrames = new(20, 1) });
        peer.SendConnect(1);
        for (var i = 0; i < 20; i++)
            peer.SendData(1, new byte[length]);
        Assert.False(peer.Connection.IsClosed);
        peer.SendData(1, new byte[length]);
        AssertCalm(peer);
    }

    [Fact]
    public void DataOf32Octets_IsNoFlood()
    {
        var peer = ScriptedHttp2Peer.OfServer(Server with { EmptyDataFrames = new(20, 1), TinyDataFrames = new(20, 1) });
        peer.SendConnect(1);
        for (var i = 0; i < 1000; i++)
            peer.SendData(1, new byte[32]);
        peer.SendData(1, "", endStream: true);
        Assert.False(peer.Connection.IsClosed);
    }

    [Fact]
    public void ContinuationFlood_IsCutByCountAndBySize()
    {
        var empty = ScriptedHttp2Peer.OfServer();
        empty.SendFrame("HEADERS", 0, 1, [0x82]);
        for (var i = 0; i < 128; i++)
            empty.SendFrame("CONTINUATION", 0, 1, default);
        Assert.False(empty.Connection.IsClosed);
        empty.SendFrame("CONTINUATION", 0, 1, default);
        AssertCalm(empty);

        var large = ScriptedHttp2Peer.OfServer();
        large.SendFrame("HEADERS", 0, 1, new byte[65536]);
        large.SendFrame("CONTINUATION", 0, 1, new byte[65536]);
        Assert.False(large.Connection.IsClosed);
        large.SendFrame("CONTINUATION", 0, 1, new byte[1]);
        AssertCalm(large);
    }

    [Fact]
    public void HugeHeader_IsRefusedBeforeItIsRead()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendRaw([0x03, 0x0d, 0x40, 1, 4, 0, 0, 0, 1]);
        AssertCalm(peer);
    }

    [Fact]
    public void HpackBomb_IsAnsweredWith431_AndTheTableStaysInStep()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        var bomb = new HeaderList(20_000) { { ":method", "CONNECT" }, { ":authority", "a:1" } };
        for (var i = 0; i < 16_000; i++)
            bomb.Add("x-bomb", new string('b', 3000));
        peer.SendHeaders(1, bomb);

        Assert.Equal(431, peer.Expect("HEADERS", 1).Headers!.Status);
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, peer.Expect("RST_STREAM", 1).ErrorCode);
        Assert.False(peer.Handler.HasSeen(1));
        peer.SendHeaders(3, new HeaderList { { ":method", "CONNECT" }, { ":authority", "a:1" }, { "x-bomb", new string('b', 3000) } });
        Assert.Equal(3000, peer.Handler.Headers(3)[0].Get("x-bomb")!.Length);
    }

    [Fact]
    public void PeerThatNeverReads_IsCutOff_WhateverItAsksFor()
    {
        var peer = ScriptedHttp2Peer.OfServer(Server with { PingFrames = new(int.MaxValue, 0), MaxControlBacklog = 10_000 });
        peer.Connection.OutputLimit = 5000;
        for (var i = 0; i < 10_000 && !peer.Connection.IsClosed; i++)
            peer.SendPing(1);
        Assert.Equal(Http2ErrorCode.ENHANCE_YOUR_CALM, peer.Handler.Error!.Code);
        Assert.InRange(peer.Connection.Output.Length, 15_000, 15_200);
    }

    [Fact]
    public void SettingsFrame_WithHundredsOfEntries_EndsTheConnection()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendFrame("SETTINGS", 0, 0, new byte[6 * 1000]);
        AssertCalm(peer);
    }

    [Fact]
    public void EachDefaultBudget_LetsAnHonestPeerPass()
    {
        var peer = ScriptedHttp2Peer.OfServer();

        // All 200 clients of a peer vanish at once, twice within a tick.
        for (var id = 1u; id < 800; id += 2)
            OpenAndReset(peer, id);

        // A gRPC bandwidth probe per millisecond.
        for (var i = 0; i < 1000; i++)
            peer.SendPing(1);

        // Keystrokes of a hundred thousand terminals.
        peer.SendConnect(801);
        for (var i = 0; i < 100_000; i++)
            peer.SendData(801, "k"u8);
        Assert.False(peer.Connection.IsClosed);
    }

    private static void OpenAndReset(ScriptedHttp2Peer peer, uint id)
    {
        peer.SendConnect(id);
        peer.SendReset(id, Http2ErrorCode.CANCEL);
    }

    private static void AssertCalm(ScriptedHttp2Peer peer)
    {
        Assert.Equal(Http2ErrorCode.ENHANCE_YOUR_CALM, peer.Handler.Error?.Code);
        Assert.Equal(Http2ErrorCode.ENHANCE_YOUR_CALM, peer.Take().Single(f => f.Type == "GOAWAY").ErrorCode);
    }
}
