using Mesh.Testing.Http2;

namespace Mesh.Http2.Tests;

/// <summary>RFC 9113, 8.1 to 8.3 and 8.5 as a server applies them.</summary>
public sealed class RequestHeaderTests
{
    private const string Good = ":method=CONNECT|:authority=a:1";
    private const string Get = ":method=GET|:scheme=https|:authority=a|:path=/";

    [Theory]
    [InlineData(Good)]
    [InlineData(":method=CONNECT")] // the owner answers 400
    [InlineData(":method=CONNECT|:authority=no-port")]
    [InlineData(":method=CONNECT|:authority=user@198.18.1.21:8080")]
    [InlineData(":method=CONNECT|:authority=*:80")]
    [InlineData(":method=CONNECT|:authority=[fd00::1]:80")]
    [InlineData(":method=CONNECT|:authority=[fd00::1]")]
    [InlineData(":method=CONNECT|:authority=1.2.3.4:")]
    [InlineData(":method=CONNECT|:authority=:80")]
    [InlineData(Get)]
    [InlineData(":method=OPTIONS|:scheme=http|:path=*")]
    [InlineData(Get + "|te=trailers")]
    [InlineData(Get + "|x-empty=")]
    [InlineData(Get + "|x-high=\u00e4\u00ff")]
    [InlineData(":path=/|:method=GET|:scheme=https")]
    public void Request_ThatIsWellFormed_ReachesTheOwner(string fields)
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendHeaders(1, Parse(fields));
        Assert.True(peer.Handler.HasSeen(1));
        Assert.Equal(Parse(fields).AsSpan().ToArray(), peer.Handler.Headers(1)[0].AsSpan().ToArray());
        peer.ExpectNothing();
    }

    [Theory]
    [InlineData(":method=CONNECT|:authority=")]
    [InlineData(":method=CONNECT|:authority=a b:80")]
    [InlineData(":method=CONNECT|:authority=[::1")]
    [InlineData(":method=CONNECT|:authority=::1]:80")]
    [InlineData(":method=CONNECT|:authority=[::1]80")]
    [InlineData(":method=CONNECT|:authority=[::1][::1]:80")]
    [InlineData(":method=CONNECT|:authority=1.2.3.4:80/path")]
    [InlineData(":method=CONNECT|:authority=\u007f:80")]
    [InlineData(":method=CONNECT|:authority=\u00e4:80")]
    [InlineData(":method=CONNECT|:authority=a:1|:path=/")]
    [InlineData(":method=CONNECT|:authority=a:1|:scheme=https")]
    [InlineData(":method=CONNECT|:authority=a:1|:protocol=websocket")]
    [InlineData(":method=CONNECT|:authority=a:1|:authority=b:1")]
    [InlineData(":method=CONNECT|:status=200")]
    [InlineData(":method=")]
    [InlineData(":authority=a:1")]
    [InlineData(":method=GET|:scheme=https|:authority=a")]
    [InlineData(":method=GET|:scheme=https|:authority=a|:path=")]
    [InlineData(":method=GET|:authority=a|:path=/")]
    [InlineData("x-first=1|" + Good)]
    [InlineData(Good + "|X-Upper=1")]
    [InlineData(Good + "|x space=1")]
    [InlineData(Good + "|x:colon=1")]
    [InlineData(Good + "|x-nul=a\u0000b")]
    [InlineData(Good + "|x-lf=a\nb")]
    [InlineData(Good + "|x-cr=a\rb")]
    [InlineData(Good + "|x-blank= a")]
    [InlineData(Good + "|x-tab=a\t")]
    [InlineData(Good + "|connection=close")]
    [InlineData(Good + "|transfer-encoding=chunked")]
    [InlineData(Good + "|upgrade=h2c")]
    [InlineData(Good + "|keep-alive=1")]
    [InlineData(Good + "|proxy-connection=1")]
    [InlineData(Good + "|te=gzip")]
    [InlineData(Get + "|content-length=abc")]
    [InlineData(Get + "|content-length=1|content-length=2")]
    public void Request_ThatIsMalformed_IsResetWithoutTheOwner(string fields)
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendFrame("HEADERS", 4, 1, Plain(fields));
        Assert.Equal("RST_STREAM 1 PROTOCOL_ERROR", Assert.Single(peer.Take()).ToString());
        Assert.Empty(peer.Handler.Events);

        peer.SendData(1, "under way");
        peer.SendConnect(3);
        Assert.Equal(["headers 3"], peer.Handler.Events);
        peer.ExpectNothing();
    }

    [Fact]
    public void FieldName_OfNoOctets_IsMalformed()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendFrame("HEADERS", 4, 1, [0x02, 0x07, .. "CONNECT"u8, 0x00, 0x00, 0x01, (byte)'v']);
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, peer.Expect("RST_STREAM", 1).ErrorCode);
    }

    [Theory]
    [InlineData(10, 10, false)]
    [InlineData(10, 9, true)]
    [InlineData(10, 11, true)]
    [InlineData(0, 0, false)]
    [InlineData(0, 1, true)]
    public void ContentLength_IsComparedWithTheBody(int promised, int sent, bool reset)
    {
        var peer = ScriptedHttp2Peer.OfServer();
        var headers = HeaderList.Request("POST", "https", "a", "/");
        headers.Add("content-length", $"{promised}");
        peer.SendHeaders(1, headers);
        peer.SendData(1, new byte[sent], endStream: true);
        Assert.Equal(reset, peer.Handler.Events.Contains("reset 1 PROTOCOL_ERROR own"));
        Assert.Equal(!reset, peer.Handler.Events.Contains("end 1"));
    }

    [Fact]
    public void ContentLength_OnARequestWithoutBody_IsMalformed()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        var headers = HeaderList.Request("POST", "https", "a", "/");
        headers.Add("content-length", "5");
        peer.SendHeaders(1, headers, endStream: true);
        peer.Expect("RST_STREAM", 1);
        Assert.Empty(peer.Handler.Events);
    }

    [Fact]
    public void Trailers_EndTheRequest()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendHeaders(1, HeaderList.Request("POST", "https", "a", "/"));
        peer.SendData(1, "body");
        peer.SendHeaders(1, new HeaderList { { "x-sum", "1" } }, endStream: true);
        Assert.Equal(["headers 1", "data 1 4", "headers 1 end", "end 1"], peer.Handler.Events);
        Assert.Equal("1", peer.Handler.Headers(1)[1].Get("x-sum"));
    }

    [Theory]
    [InlineData("POST", "x-sum=1", false)]
    [InlineData("POST", ":path=/", true)]
    [InlineData("CONNECT", "x-sum=1", true)]
    public void Trailers_ThatAreMalformed_ResetTheStream(string method, string fields, bool endStream)
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendHeaders(1, method == "CONNECT" ? HeaderList.Connect("a:1") : HeaderList.Request(method, "https", "a", "/"));
        peer.SendHeaders(1, Parse(fields), endStream);
        Assert.Equal(["headers 1", "reset 1 PROTOCOL_ERROR own", "closed 1"], peer.Handler.Events);
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, peer.Expect("RST_STREAM", 1).ErrorCode);
    }

    [Fact]
    public void ErrorAnswer_ToAnUnfinishedRequest_IsFollowedByAReset()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        peer.Handler.Stream(1).SendHeaders(HeaderList.Response(503), endStream: true);
        Assert.Equal(["HEADERS 1 end", "RST_STREAM 1 NO_ERROR"], peer.Take().Select(f => f.ToString()));
        Assert.Equal(["headers 1", "closed 1"], peer.Handler.Events);
    }

    [Fact]
    public void ErrorAnswer_ToAFinishedRequest_IsNotReset()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendHeaders(1, HeaderList.Request("GET", "https", "a", "/"), endStream: true);
        peer.Handler.Stream(1).SendHeaders(HeaderList.Response(503), endStream: true);
        Assert.Equal("HEADERS 1 end", Assert.Single(peer.Take()).ToString());
    }

    [Fact]
    public void Response_WithInformationalAndTrailers_IsSentInOrder()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendHeaders(1, HeaderList.Request("GET", "https", "a", "/"), endStream: true);
        var stream = peer.Handler.Stream(1);
        stream.SendHeaders(HeaderList.Response(103), endStream: false);
        stream.SendHeaders(HeaderList.Response(200), endStream: false);
        stream.Write("body"u8);
        stream.SendHeaders(new HeaderList { { "x-sum", "1" } }, endStream: true);
        Assert.Equal(["HEADERS 1", "HEADERS 1", "DATA 1 4", "HEADERS 1 end"], peer.Take().Select(f => f.ToString()));
        Assert.Equal(Http2StreamState.Closed, stream.State);
    }

    [Theory]
    [InlineData("X-Upper", "1")]
    [InlineData("x-ok", "a\r\nx-evil: 1")]
    [InlineData("x-ok", "\u2603")]
    [InlineData("x-ok", " a")]
    [InlineData("", "1")]
    public void OurOwnHeaders_ThatNoPeerMayReceive_Throw(string name, string value)
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        Assert.Throws<ArgumentException>(() => peer.Handler.Stream(1).SendHeaders(new HeaderList { { ":status", "200" }, { name, value } }, endStream: false));
        peer.ExpectNothing();
    }

    internal static HeaderList Parse(string fields)
    {
        var headers = new HeaderList();
        foreach (var field in fields.Split('|'))
        {
            var split = field.IndexOf('=', StringComparison.Ordinal);
            headers.Add(field[..split], field[(split + 1)..]);
        }

        return headers;
    }

    /// <summary>Literal fields without compression: what our encoder would refuse to send.</summary>
    internal static byte[] Plain(string fields)
    {
        var block = new List<byte>();
        foreach (var field in ((IEnumerable<HeaderField>)Parse(fields)))
            block.AddRange([0x00, (byte)field.Name.Length, .. System.Text.Encoding.Latin1.GetBytes(field.Name), (byte)field.Value.Length, .. System.Text.Encoding.Latin1.GetBytes(field.Value)]);
        return [.. block];
    }
}
