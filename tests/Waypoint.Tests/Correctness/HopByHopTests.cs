using System.Net;
using Mesh.Http2;
using Mesh.Testing.Http2;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mesh.Waypoint.Tests.Correctness;

/// <summary>Headers that belong to one connection (RFC 9110 7.6.1): none crosses, in either direction, on either protocol.</summary>
public sealed class HopByHopTests
{
    private static Task EchoHeaders(HttpContext http) =>
        http.Response.WriteAsync(string.Join(';', http.Request.Headers.Select(h => $"{h.Key.ToLowerInvariant()}={h.Value}").Order(StringComparer.Ordinal)));

    [Fact]
    public async Task Request_HeadersOfTheConnection_DoNotReachTheApplication()
    {
        await using var origin = await Origin.StartAsync(EchoHeaders);
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var answer = await mesh.RawAsync("GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: 1\r\nX-Named: a\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nTE: gzip\r\nConnection: X-Named, HTTP2-Settings, TE\r\n\r\nGET /end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.True(answer.Contains("host=x;x-forwarded-proto=http;x-request-id=1\r\n", StringComparison.Ordinal), answer);
    }

    [Theory]
    [InlineData("trailers", "trailers")]
    [InlineData("gzip, trailers;q=0.5", "trailers")]
    [InlineData("gzip", "")]
    public async Task Te_IsTrailersOrNothing(string sent, string seen)
    {
        await using var origin = await Origin.StartAsync(http => http.Response.WriteAsync($"[{http.Request.Headers.TE}]"));
        await using var mesh = await OneService.StartAsync([origin.Port]);
        Assert.Equal($"[{seen}]", await mesh.TextAsync("/", ("TE", sent)));
    }

    [Theory]
    [InlineData("Host", 400)]
    [InlineData("X-Forwarded-For", 400)]
    [InlineData("x-forwarded-proto, x-a", 400)]
    [InlineData(":path", 400)]
    [InlineData("a, b, c, d, e, f, g, h, i, j, k", 400)]
    [InlineData("a, b, c, d, e, f, g, h, i, j", 200)]
    public async Task Connection_ThatNamesWhatIsReliedOn_OrALot_Is400(string names, int status)
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var answer = await mesh.RawAsync($"GET / HTTP/1.1\r\nHost: x\r\nConnection: {names}\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.StartsWith($"HTTP/1.1 {status}", answer, StringComparison.Ordinal);
        Assert.Equal(status == 400 ? 0 : 2, origin.Count);
    }

    [Fact]
    public async Task ProxyAuthorizationAndTrailer_PassBothWays()
    {
        await using var origin = await Origin.StartAsync(http =>
        {
            http.Response.Headers.ProxyAuthenticate = "Basic";
            http.Response.Headers.Trailer = "x-sum";
            return EchoHeaders(http);
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var response = await mesh.GetAsync("/", ("Proxy-Authorization", "Basic abc"), ("Trailer", "x-sum"));
        var seen = await response.Content.ReadAsStringAsync();
        Assert.Contains("proxy-authorization=Basic abc", seen, StringComparison.Ordinal);
        Assert.Contains("trailer=x-sum", seen, StringComparison.Ordinal);
        Assert.Equal("Basic", response.Headers.ProxyAuthenticate.ToString());
        Assert.Equal("x-sum", response.Headers.Trailer.ToString());
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Response_HeadersOfTheConnection_DoNotReachTheClient(string version)
    {
        using var origin = RawOrigin.Answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, X-Named\r\nKeep-Alive: timeout=5\r\nX-Named: a\r\nProxy-Connection: keep-alive\r\nUpgrade: h2c\r\nX-Other: b\r\n\r\nok");
        await using var mesh = await OneService.StartAsync([origin.Port], version: Version.Parse(version));
        using var response = await mesh.GetAsync("/");
        Assert.Equal("ok", await response.Content.ReadAsStringAsync());
        Assert.Equal(["date", "server", "x-envoy-upstream-service-time", "x-other"], response.Headers.Select(h => h.Key.ToLowerInvariant()).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("connection", "close")]
    [InlineData("keep-alive", "timeout=5")]
    [InlineData("proxy-connection", "close")]
    [InlineData("transfer-encoding", "chunked")]
    [InlineData("upgrade", "websocket")]
    [InlineData("te", "gzip")]
    public async Task Http2_HeaderOfAConnection_IsAProtocolError_AndOtherConnectionsServe(string name, string value)
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var good = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        using var bad = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await good.SendRequestAsync(1, "POST", "/", endStream: false);
        await bad.SendRequestAsync(1, "GET", "/", true, (name, value));
        Assert.Equal(Http2ErrorCode.PROTOCOL_ERROR, (await ErrorAsync(bad, 1)));
        await good.SendDataAsync(1, "x", endStream: true);
        Assert.Equal(200, (await good.ResponseAsync(1)).Status);
        Assert.Equal(1, origin.Count);
    }

    [Fact]
    public async Task Http2_TeTrailers_Passes()
    {
        await using var origin = await Origin.StartAsync(http => http.Response.WriteAsync(http.Request.Headers.TE.ToString()), HttpProtocols.Http2);
        await using var mesh = await OneService.StartAsync([origin.Port], cluster: c => c.Protocol = V1.Protocol.Http2, version: HttpVersion.Version20);
        Assert.Equal("trailers", await mesh.TextAsync("/", ("te", "trailers")));
    }

    /// <summary>How the server refuses: the stream's reset, or GOAWAY.</summary>
    internal static async Task<Http2ErrorCode?> ErrorAsync(RawHttp2Socket client, uint stream)
    {
        while (await client.ReadAsync() is { } frame)
        {
            if (frame.Type == "GOAWAY" || (frame.Type == "RST_STREAM" && frame.StreamId == stream))
                return frame.ErrorCode;
        }

        return null;
    }
}
