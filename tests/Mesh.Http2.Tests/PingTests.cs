using Mesh.Testing.Http2;

namespace Mesh.Http2.Tests;

/// <summary>RFC 9113, 6.7.</summary>
public sealed class PingTests
{
    [Fact]
    public void Ping_FromThePeer_IsAnsweredWithItsOctets()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendPing(0x3b7cdb7a0b8716b4);
        var answer = peer.Expect("PING");
        Assert.True(answer.Ack);
        Assert.Equal("0000080601000000003b7cdb7a0b8716b4", answer.Hex);
        Assert.Empty(peer.Handler.Events);
    }

    [Fact]
    public void Ping_OfTheOwner_ReportsItsAnswer()
    {
        var peer = ScriptedHttp2Peer.OfClient();
        peer.Connection.SendPing(0xabcdef);
        Assert.Equal("0000080600000000000000000000abcdef", peer.Expect("PING").Hex);
        peer.SendPing(0xabcdef, ack: true);
        Assert.Equal(["ping ack abcdef"], peer.Handler.Events);
        peer.ExpectNothing();
    }

    [Fact]
    public void Ping_OfTheOwner_OverlapsWithADrain()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.Connection.SendPing(1);
        peer.Connection.BeginGracefulShutdown();
        var pings = peer.Take().Where(f => f.Type == "PING").ToList();
        peer.SendPing(pings[0].Opaque, ack: true);
        Assert.Equal(["ping ack 1"], peer.Handler.Events);
        peer.ExpectNothing();
        peer.SendPing(pings[1].Opaque, ack: true);
        peer.Expect("GOAWAY");
    }
}
