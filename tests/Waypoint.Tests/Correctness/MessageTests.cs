using System.Net;
using Google.Protobuf.WellKnownTypes;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.Correctness;

/// <summary>What a message keeps on its way, and what the waypoint's own answers look like (reference 7.4, 7.5, 7.9 to 7.11).</summary>
public sealed class MessageTests
{
    [Fact]
    public async Task Request_KeepsItsHostQueryCaseOfValuesAndOrder()
    {
        using var origin = new RawOrigin(async peer =>
        {
            var head = await peer.ReadHeadAsync();
            await peer.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {head.Length}\r\n\r\n{head}");
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var answer = await mesh.RawAsync("GET /%7Euser/a%2Fb?q=%7E%2f&&x=..%2F HTTP/1.1\r\nHost: Shop.Example:8080\r\nX-Multi: B\r\nX-Multi: a\r\nAccept: Text/HTML\r\nExpect: nothing-special\r\nConnection: close\r\n\r\n");
        Assert.Contains("GET /~user/a%2Fb?q=%7E%2f&&x=..%2F HTTP/1.1\r\nhost: Shop.Example:8080\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("x-multi: B\r\nx-multi: a\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("accept: Text/HTML\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("expect: nothing-special\r\n", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Response_KeepsCookiesApart_AndWhatIsSaidOfTheBody()
    {
        using var origin = RawOrigin.Answering("HTTP/1.1 206 Partial Content\r\nSet-Cookie: a=1, x\r\nSet-Cookie: b=2\r\nETag: \"v1\"\r\nContent-Encoding: gzip\r\nContent-Range: bytes 0-1/9\r\nAccept-Ranges: bytes\r\nServer: own\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Length: 2\r\n\r\nok");
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var answer = await mesh.RawAsync("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        foreach (var line in (string[])["Set-Cookie: a=1, x\r\n", "Set-Cookie: b=2\r\n", "ETag: \"v1\"\r\n", "Content-Encoding: gzip\r\n", "Content-Range: bytes 0-1/9\r\n", "Accept-Ranges: bytes\r\n", "Date: Mon, 01 Jan 2024 00:00:00 GMT\r\n", "Server: istio-envoy\r\n"])
            Assert.Contains(line, answer, StringComparison.OrdinalIgnoreCase);
        Assert.EndsWith("\r\n\r\nok", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Head_KeepsTheLengthOfTheBodyThatItDoesNotHave(string version)
    {
        using var origin = RawOrigin.Answering("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n");
        await using var mesh = await OneService.StartAsync([origin.Port], version: Version.Parse(version));
        using var response = await mesh.SendAsync(HttpMethod.Head, "/", null);
        Assert.Equal(1234, response.Content.Headers.ContentLength);
        using var again = await mesh.SendAsync(HttpMethod.Head, "/", null);
        Assert.Equal((200, 1), ((int)again.StatusCode, origin.Connections));
    }

    [Theory]
    [InlineData("204 No Content\r\n")]
    [InlineData("304 Not Modified\r\nETag: \"a\"\r\n")]
    public async Task Status_ThatHasNoBody_KeepsTheConnection(string head)
    {
        using var origin = RawOrigin.Answering($"HTTP/1.1 {head}\r\n");
        await using var mesh = await OneService.StartAsync([origin.Port]);
        for (var i = 0; i < 3; i++)
            Assert.Equal(int.Parse(head[..3], System.Globalization.CultureInfo.InvariantCulture), (int)(await mesh.GetAsync("/")).StatusCode);
        Assert.Equal(1, origin.Connections);
    }

    [Fact]
    public async Task Body_AboveKestrelsOwnLimits_IsStreamed()
    {
        var length = 0L;
        await using var origin = await Origin.StartAsync(async http =>
        {
            var buffer = new byte[64 * 1024];
            while (await http.Request.Body.ReadAsync(buffer) is > 0 and var count)
                length += count;
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var response = await mesh.SendAsync(HttpMethod.Put, "/", new ByteArrayContent(new byte[40_000_000]));
        Assert.Equal((HttpStatusCode.OK, 40_000_000), (response.StatusCode, length));
    }

    [Fact]
    public async Task UpgradeToH2c_IsStripped_AndTheRequestServed()
    {
        using var origin = new RawOrigin(async peer =>
        {
            var head = await peer.ReadHeadAsync();
            await peer.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {head.Length}\r\n\r\n{head}");
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var answer = await mesh.RawAsync("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\nGET /end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("h2c", answer, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("settings", answer, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task LocalReply_SaysWhoAnswered_AndNotHowLongTheApplicationTook()
    {
        await using var mesh = await OneService.StartAsync([]);
        using var response = await mesh.GetAsync("/");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("text/plain", response.Content.Headers.ContentType?.ToString());
        Assert.Equal("no healthy upstream".Length, response.Content.Headers.ContentLength);
        Assert.Equal("istio-envoy", response.Headers.Server.ToString());
        Assert.NotNull(response.Headers.Date);
        Assert.False(response.Headers.Contains("x-envoy-upstream-service-time"));
    }

    [Theory]
    [InlineData(400, 13)]
    [InlineData(401, 16)]
    [InlineData(403, 7)]
    [InlineData(404, 12)]
    [InlineData(429, 14)]
    [InlineData(502, 14)]
    [InlineData(503, 14)]
    [InlineData(504, 14)]
    [InlineData(500, 2)]
    [InlineData(418, 2)]
    public void GrpcStatus_OfAnAnswerMadeHere_FollowsTheTable(int http, int grpc) => Assert.Equal(grpc, GrpcStatus.FromHttp(http));

    [Theory]
    [InlineData(0, 200)]
    [InlineData(1, 499)]
    [InlineData(2, 500)]
    [InlineData(3, 400)]
    [InlineData(4, 504)]
    [InlineData(5, 404)]
    [InlineData(6, 409)]
    [InlineData(7, 403)]
    [InlineData(8, 429)]
    [InlineData(9, 400)]
    [InlineData(10, 409)]
    [InlineData(11, 400)]
    [InlineData(12, 501)]
    [InlineData(13, 500)]
    [InlineData(14, 503)]
    [InlineData(15, 500)]
    [InlineData(16, 401)]
    public void HttpStatus_OfAGrpcAnswer_FollowsTheTable(int grpc, int http) => Assert.Equal(http, GrpcStatus.ToHttp(grpc));

    [Theory]
    [InlineData("1H", 3_600_000)]
    [InlineData("2M", 120_000)]
    [InlineData("3S", 3_000)]
    [InlineData("250m", 250)]
    [InlineData("5000u", 5)]
    [InlineData("7000000n", 7)]
    [InlineData("12345678m", 12_345_678)]
    [InlineData("123456789m", null)]
    [InlineData("1", null)]
    [InlineData("-1S", null)]
    [InlineData("1x", null)]
    [InlineData("", null)]
    public void GrpcTimeout_HasUpToEightDigitsAndAUnit(string text, int? milliseconds) =>
        Assert.Equal(milliseconds, (int?)GrpcStatus.ParseTimeout(text)?.TotalMilliseconds);

    [Theory]
    [InlineData("application/grpc", true)]
    [InlineData("application/grpc+proto", true)]
    [InlineData("application/grpc-web", false)]
    [InlineData("application/grpcx", false)]
    [InlineData("application/json", false)]
    [InlineData("", false)]
    public void Grpc_IsKnownByItsContentType(string type, bool isGrpc)
    {
        var facts = Requests.Make("POST", "/a.B/C", headers: type.Length == 0 ? [] : [("content-type", type)]);
        Assert.Equal(isGrpc, facts.IsGrpc);
    }

    [Fact]
    public async Task Grpc_RouteTimeout_ShortensTheClients_AndTheApplicationIsTold()
    {
        await using var origin = await Origin.StartAsync(http => http.Response.WriteAsync(http.Request.Headers["grpc-timeout"].ToString()));
        await using var mesh = await OneService.StartAsync([origin.Port], OneService.Route(f => f.Timeout = Duration.FromTimeSpan(TimeSpan.FromSeconds(20))));
        Assert.Equal("20000m", await SendAsync("30S"));
        Assert.Equal("10000m", await SendAsync("10S"));
        return;

        async Task<string> SendAsync(string timeout)
        {
            var content = new ByteArrayContent([]);
            content.Headers.ContentType = new("application/grpc");
            return await (await mesh.SendAsync(HttpMethod.Post, "/a.B/C", content, ("grpc-timeout", timeout))).Content.ReadAsStringAsync();
        }
    }

    [Fact]
    public async Task WeightedChoice_IsNotMadeAgainByARetry()
    {
        await using var good = await Origin.TextAsync("ok");
        await using var mesh = await OneService.StartAsync([1], OneService.Route(f =>
        {
            f.Clusters.Add(new V1.WeightedCluster { Cluster = "shop/orders|80|v2", Weight = 1 });
            f.Retry = new V1.RetryPolicy { Attempts = 3, RetryOn = { "connect-failure" } };
        }));
        var endpoint = Balancing.Clusters.Endpoint(2, good.Port);
        endpoint.Address = Google.Protobuf.ByteString.CopyFrom(127, 0, 0, 1);
        var other = new V1.Cluster { Name = "shop/orders|80|v2", Namespace = "shop", Hostname = "orders.shop.svc.cluster.local", Port = 80, Protocol = V1.Protocol.Http1, Endpoints = { endpoint } };
        Assert.Empty(mesh.Waypoint.Configuration.ApplyClusters([(other.Name, other)], []));
        for (var i = 0; i < 30; i++)
        {
            using var response = await mesh.GetAsync("/");
            var report = await mesh.Waypoint.NextReportAsync();
            Assert.Equal(report.Cluster == OneService.ClusterName ? (503, 4) : (200, 1), ((int)response.StatusCode, report.Attempts));
        }
    }
}
