using Mesh.Testing.Http2;

namespace Mesh.Http2.Tests;

/// <summary>RFC 9113, 8.1 and 8.3.2 as a client applies them.</summary>
public sealed class ResponseTests
{
    [Fact]
    public void Response_WithInformational_BodyAndTrailers_ArrivesInOrder()
    {
        var peer = Request("GET", out _);
        peer.SendResponse(1, 103);
        peer.SendResponse(1, 200);
        peer.SendData(1, "body");
        peer.SendHeaders(1, new HeaderList { { "x-sum", "1" } }, endStream: true);
        Assert.Equal(["informational 1 103", "headers 1", "data 1 4", "headers 1 end", "end 1", "closed 1"], peer.Handler.Events);
        Assert.Equal(200, peer.Handler.Headers(1)[0].Status);
    }

    [Fact]
    public void Tunnel_ClosesWhenBothSidesHaveEnded()
    {
        var peer = Request("CONNECT", out var stream);
        peer.SendResponse(1, 200);
        peer.SendData(1, "who", endStream: true);
        Assert.Equal(Http2StreamState.HalfClosedRemote, stream.State);
        stream.Write("ok"u8, endStream: true);
        Assert.Equal(["headers 1", "data 1 3", "end 1", "closed 1"], peer.Handler.Events);
    }

    [Fact]
    public void RefusedTunnel_EndsWithStatusThenReset()
    {
        var peer = Request("CONNECT", out var stream);
        peer.SendResponse(1, 401, endStream: true);
        peer.SendReset(1, Http2ErrorCode.NO_ERROR);
        Assert.Equal(["headers 1 end", "end 1", "reset 1 NO_ERROR peer", "closed 1"], peer.Handler.Events);
        Assert.Equal(Http2StreamState.Closed, stream.State);
    }

    [Theory]
    [InlineData(":status=20")]
    [InlineData(":status=2000")]
    [InlineData(":status=abc")]
    [InlineData(":status=099")]
    [InlineData(":status=101")]
    [InlineData(":status=200|:status=200")]
    [InlineData(":status=200|:path=/")]
    [InlineData("x-a=1")]
    [InlineData("x-a=1|:status=200")]
    [InlineData(":status=200|connection=close")]
    [InlineData(":status=200|content-length=x")]
    public void Response_ThatIsMalformed_ResetsTheStream(string fields)
    {
        var peer = Request("GET", out _);
        peer.SendFrame("HEADERS", 4, 1, RequestHeaderTests.Plain(fields));
        Assert.Equal(["reset 1 PROTOCOL_ERROR own", "closed 1"], peer.Handler.Events);
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, peer.Expect("RST_STREAM", 1).ErrorCode);
    }

    [Fact]
    public void Informational_WithEndStream_ResetsTheStream()
    {
        var peer = Request("GET", out _);
        peer.SendResponse(1, 103, endStream: true);
        Assert.Equal(["reset 1 PROTOCOL_ERROR own", "closed 1"], peer.Handler.Events);
    }

    [Fact]
    public void Data_BeforeTheResponse_ResetsTheStream()
    {
        var peer = Request("GET", out _);
        peer.SendData(1, "early");
        Assert.Equal(["reset 1 PROTOCOL_ERROR own", "closed 1"], peer.Handler.Events);
    }

    [Fact]
    public void HeadersOnATunnel_ResetIt()
    {
        var peer = Request("CONNECT", out _);
        peer.SendResponse(1, 200);
        peer.SendHeaders(1, new HeaderList { { "x-sum", "1" } }, endStream: true);
        Assert.Equal(["headers 1", "reset 1 PROTOCOL_ERROR own", "closed 1"], peer.Handler.Events);
    }

    [Theory]
    [InlineData("GET", 200, true)]
    [InlineData("HEAD", 200, false)]
    [InlineData("GET", 304, false)]
    [InlineData("CONNECT", 200, false)]
    [InlineData("CONNECT", 503, true)]
    public void ContentLength_CountsOnlyWhereThereIsABody(string method, int status, bool reset)
    {
        var peer = Request(method, out _);
        var headers = HeaderList.Response(status);
        headers.Add("content-length", "100");
        peer.SendHeaders(1, headers, endStream: true);
        Assert.Equal(reset, peer.Handler.Events.Contains("reset 1 PROTOCOL_ERROR own"));
    }

    [Fact]
    public void ResponseAboveTheHeaderLimit_IsReset()
    {
        var peer = Request("GET", out _);
        var headers = HeaderList.Response(200);
        headers.Add("x-a", new string('a', 20_000));
        peer.SendHeaders(1, headers);
        Assert.Equal(["reset 1 PROTOCOL_ERROR own", "closed 1"], peer.Handler.Events);
    }

    [Theory]
    [InlineData(2u)]
    [InlineData(3u)]
    public void Headers_OnAStreamWeDidNotOpen_EndTheConnection(uint id)
    {
        var peer = Request("GET", out _);
        peer.SendResponse(id, 200);
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, peer.Handler.Error!.Code);
    }

    [Fact]
    public void OpenStream_WithAMalformedRequest_Throws()
    {
        var peer = ScriptedHttp2Peer.OfClient();
        Assert.Throws<ArgumentException>(() => peer.Connection.OpenStream(HeaderList.Request("CONNECT", "https", "a:1", "/"), endStream: false));
        Assert.Throws<ArgumentException>(() => peer.Connection.OpenStream(HeaderList.Connect("not an authority"), endStream: false));
        Assert.Throws<ArgumentException>(() => peer.Connection.OpenStream(new HeaderList { { ":method", "GET" } }, endStream: false));
        peer.ExpectNothing();
        Assert.Equal(0, peer.Connection.ActiveStreams);
    }

    [Fact]
    public void Server_CannotOpenStreams()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        Assert.False(peer.Connection.CanOpenStream);
        Assert.Throws<InvalidOperationException>(() => peer.Connection.OpenStream(HeaderList.Connect("a:1"), endStream: false));
    }

    [Fact]
    public void OwnerThatClosesInsideACallback_HearsNothingMore()
    {
        var handler = new RecordingHttp2Handler();
        var peer = ScriptedHttp2Peer.OfClient(handler: handler);
        peer.Connection.OpenStream(HeaderList.Connect("a:1"), endStream: false);
        handler.WhenHeaders = (s, _, _) => s.Connection.Dispose();
        peer.SendResponse(1, 200, endStream: true);
        Assert.Equal(["headers 1 end"], handler.Events);
        Assert.True(peer.Connection.IsClosed);
    }

    [Fact]
    public void Receive_InsideACallback_Throws()
    {
        var peer = Request("GET", out var stream);
        peer.Handler.WhenHeaders = (_, _, _) => stream.Connection.Receive("x"u8);
        Assert.Throws<InvalidOperationException>(() => peer.SendResponse(1, 200));
    }

    private static ScriptedHttp2Peer Request(string method, out Http2Stream stream)
    {
        var peer = ScriptedHttp2Peer.OfClient();
        stream = method == "CONNECT"
            ? peer.Connection.OpenStream(HeaderList.Connect("198.18.1.21:8080"), endStream: false)
            : peer.Connection.OpenStream(HeaderList.Request(method, "http", "a", "/"), endStream: true);
        peer.Expect("HEADERS", 1);
        return peer;
    }
}
