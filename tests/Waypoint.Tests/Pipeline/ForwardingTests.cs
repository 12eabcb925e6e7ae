using System.Net;
using System.Text;
using Google.Protobuf.WellKnownTypes;
using Mesh.Testing;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mesh.Waypoint.Tests.Pipeline;

public sealed class ForwardingTests
{
    [Fact]
    public async Task Get_NoRoute_GoesToTheServiceWithEnvoysHeaders()
    {
        await using var origin = await Origin.StartAsync(http =>
        {
            var seen = string.Join(';', http.Request.Headers.OrderBy(h => h.Key, StringComparer.OrdinalIgnoreCase).Select(h => $"{h.Key.ToLowerInvariant()}={h.Value}"));
            return http.Response.WriteAsync($"{http.Request.Method} {http.Features.Get<IHttpRequestFeature>()!.RawTarget} {seen}");
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var response = await mesh.GetAsync("/a/%2e%2e/b%2Fc?x=%2F..", ("x-forwarded-client-cert", "By=x"), ("x-envoy-retry-on", "5xx"), ("X-Request-Id", "abc"), ("Host", "any.example:81"));
        var text = await response.Content.ReadAsStringAsync();
        Assert.Equal("GET /b%2Fc?x=%2F.. host=any.example:81;x-forwarded-proto=http;x-request-id=abc", text);
        Assert.Equal("istio-envoy", response.Headers.Server.ToString());
        Assert.True(response.Headers.Contains("x-envoy-upstream-service-time"));
        var report = await mesh.Waypoint.NextReportAsync();
        Assert.Equal((200, "-", "via_upstream", "default", 1), (report.Status, report.Flags, report.Details, report.Route, report.Attempts));
    }

    [Fact]
    public async Task Post_LargeBody_IsStreamedBothWays()
    {
        await using var origin = await Origin.StartAsync(http => http.Request.Body.CopyToAsync(http.Response.Body));
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var body = new byte[5_000_000];
        new Random(1).NextBytes(body);
        using var response = await mesh.SendAsync(HttpMethod.Post, "/", new ByteArrayContent(body));
        Assert.Equal(body, await response.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task Response_SlowBody_IsPassedOnPieceByPiece()
    {
        var next = new SemaphoreSlim(0);
        await using var origin = await Origin.StartAsync(async http =>
        {
            foreach (var piece in (string[])["one", "two"])
            {
                await http.Response.WriteAsync(piece);
                await http.Response.Body.FlushAsync();
                await next.WaitAsync();
            }
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var response = await mesh.GetAsync("/");
        await using var stream = await response.Content.ReadAsStreamAsync();
        var buffer = new byte[10];
        Assert.Equal(3, await stream.ReadAsync(buffer));
        next.Release();
        Assert.Equal(3, await stream.ReadAsync(buffer));
        next.Release();
        Assert.Equal(0, await stream.ReadAsync(buffer));
    }

    [Fact]
    public async Task Connect_RefusedByOneOfTwo_IsHiddenByTheDefaultRetries()
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await OneService.StartAsync([origin.Port, Ports.Unused()]);
        for (var i = 0; i < 40; i++)
            Assert.Equal("ok", await mesh.TextAsync("/"));
    }

    [Fact]
    public async Task Connect_RefusedByAll_Is503UfAfterTheRetries()
    {
        await using var mesh = await OneService.StartAsync([Ports.Unused()]);
        using var response = await mesh.GetAsync("/");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("upstream connect error or disconnect/reset before headers. retried and the latest reset reason: remote connection failure", await response.Content.ReadAsStringAsync());
        var report = await mesh.Waypoint.NextReportAsync();
        Assert.Equal(("URX,UF", 3), (report.Flags, report.Attempts));
    }

    [Fact]
    public async Task Application503_DefaultPolicy_PassesThroughOnce()
    {
        await using var origin = await Origin.TextAsync("busy", 503);
        await using var mesh = await OneService.StartAsync([origin.Port]);
        Assert.Equal("busy", await mesh.TextAsync("/"));
        Assert.Equal(1, origin.Count);
        Assert.Equal("-", (await mesh.Waypoint.NextReportAsync()).Flags);
    }

    [Fact]
    public async Task Retry_5xxWithBody_SendsTheSameBodyToAnotherEndpoint()
    {
        await using var bad = await Origin.StartAsync(async http =>
        {
            await http.Request.Body.CopyToAsync(Stream.Null);
            http.Response.StatusCode = 500;
        });
        await using var good = await Origin.StartAsync(http => http.Request.Body.CopyToAsync(http.Response.Body));
        await using var mesh = await OneService.StartAsync([bad.Port, good.Port], OneService.Route(f => f.Retry = new V1.RetryPolicy { Attempts = 3, RetryOn = { "5xx" }, RetryIgnorePreviousHosts = true }));
        var body = new string('x', 300_000);
        for (var i = 0; i < 10; i++)
        {
            using var response = await mesh.SendAsync(HttpMethod.Post, "/", new StringContent(body));
            Assert.Equal(body, await response.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task Retry_Exhausted_PassesTheLastResponseWithUrx()
    {
        await using var origin = await Origin.TextAsync("no", 503);
        await using var mesh = await OneService.StartAsync([origin.Port], OneService.Route(f => f.Retry = new V1.RetryPolicy { Attempts = 3, RetryOn = { "5xx" } }));
        Assert.Equal("no", await mesh.TextAsync("/"));
        Assert.Equal(4, origin.Count);
        Assert.Equal("URX", (await mesh.Waypoint.NextReportAsync()).Flags);
    }

    [Fact]
    public async Task Timeout_SlowApplication_Is504Ut()
    {
        await using var origin = await Origin.StartAsync(http => Task.Delay(Timeout.Infinite, http.RequestAborted));
        await using var mesh = await OneService.StartAsync([origin.Port], OneService.Route(f => f.Timeout = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(150))));
        using var response = await mesh.GetAsync("/");
        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        Assert.Equal("upstream request timeout", await response.Content.ReadAsStringAsync());
        var report = await mesh.Waypoint.NextReportAsync();
        Assert.Equal(("UT", "response_timeout"), (report.Flags, report.Details));
    }

    [Fact]
    public async Task PerTryTimeout_WithRetries_TriesAgain()
    {
        var first = true;
        await using var origin = await Origin.StartAsync(async http =>
        {
            if (first)
            {
                first = false;
                await Task.Delay(Timeout.Infinite, http.RequestAborted);
            }

            await http.Response.WriteAsync(http.Request.Headers["x-envoy-expected-rq-timeout-ms"].ToString());
        });
        await using var mesh = await OneService.StartAsync([origin.Port], OneService.Route(f => f.Retry = new V1.RetryPolicy { Attempts = 1, RetryOn = { "5xx" }, PerTryTimeout = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(300)) }));
        Assert.Equal("300", await mesh.TextAsync("/"));
    }

    [Fact]
    public async Task Route_NoneMatches_Is404Nr()
    {
        await using var mesh = await OneService.StartAsync([1], OneService.Route(route: r => r.Matches.Add(new V1.RouteMatch { Path = new V1.StringMatch { Exact = "/only" } })));
        using var response = await mesh.GetAsync("/other");
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Equal(string.Empty, await response.Content.ReadAsStringAsync());
        Assert.Equal("NR", (await mesh.Waypoint.NextReportAsync()).Flags);
    }

    [Fact]
    public async Task Cluster_Missing_Is503Nc()
    {
        await using var mesh = await OneService.StartAsync([1], OneService.Route(f => f.Clusters[0].Cluster = "shop/orders|80|nowhere"));
        using var response = await mesh.GetAsync("/");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("NC", (await mesh.Waypoint.NextReportAsync()).Flags);
    }

    [Fact]
    public async Task Cluster_WithoutEndpoints_Is503Uh()
    {
        await using var mesh = await OneService.StartAsync([]);
        Assert.Equal("no healthy upstream", await mesh.TextAsync("/"));
        Assert.Equal("UH", (await mesh.Waypoint.NextReportAsync()).Flags);
    }

    [Fact]
    public async Task Ejection_FiveErrorsInARow_SparesTheEndpoint()
    {
        await using var bad = await Origin.TextAsync("bad", 500);
        await using var good = await Origin.TextAsync("good");
        await using var mesh = await OneService.StartAsync(
            [bad.Port, good.Port],
            cluster: c =>
            {
                c.LoadBalancer = new V1.LoadBalancer { Policy = V1.LoadBalancer.Types.Policy.RoundRobin };
                c.OutlierDetection = new V1.OutlierDetection { Consecutive5Xx = 5, AlwaysEjectOne = true };
            });
        for (var i = 0; i < 40; i++)
            await mesh.TextAsync("/");
        Assert.Equal(5, bad.Count);
        Assert.Equal(35, good.Count);
    }

    [Fact]
    public async Task Application_NotHttp_Is502Upe()
    {
        using var server = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        server.Start();
        _ = Task.Run(async () =>
        {
            using var socket = await server.AcceptSocketAsync();
            await socket.ReceiveAsync(new byte[4096]);
            await socket.SendAsync(Encoding.ASCII.GetBytes("garbage\r\n\r\n"));
        });
        await using var mesh = await OneService.StartAsync([((IPEndPoint)server.LocalEndpoint).Port]);
        using var response = await mesh.GetAsync("/");
        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal("UPE", (await mesh.Waypoint.NextReportAsync()).Flags);
    }

    [Fact]
    public async Task Application_ClosesAfterTheRequest_Is503UcAndNotRetried()
    {
        var connections = 0;
        using var server = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        server.Start();
        _ = Task.Run(async () =>
        {
            while (true)
            {
                using var socket = await server.AcceptSocketAsync();
                connections++;
                await socket.ReceiveAsync(new byte[4096]);
            }
        });
        await using var mesh = await OneService.StartAsync([((IPEndPoint)server.LocalEndpoint).Port]);
        Assert.Equal("upstream connect error or disconnect/reset before headers. reset reason: connection termination", await mesh.TextAsync("/"));
        Assert.Equal("UC", (await mesh.Waypoint.NextReportAsync()).Flags);
        Assert.Equal(1, connections);
    }

    [Fact]
    public async Task Http2_ToHttp2_CarriesTrailersAndStreams()
    {
        await using var origin = await Origin.StartAsync(
            async http =>
            {
                http.Response.ContentType = "application/grpc";
                await http.Request.Body.CopyToAsync(http.Response.Body);
                http.Response.AppendTrailer("grpc-status", "0");
            },
            HttpProtocols.Http2);
        await using var mesh = await OneService.StartAsync([origin.Port], cluster: c => c.Protocol = V1.Protocol.Grpc, version: HttpVersion.Version20);
        using var response = await mesh.SendAsync(HttpMethod.Post, "/pkg.Svc/Call", new StringContent("hello"));
        Assert.Equal("hello", await response.Content.ReadAsStringAsync());
        Assert.Equal("0", response.TrailingHeaders.GetValues("grpc-status").Single());
    }

    [Fact]
    public async Task Grpc_NoEndpoint_IsAGrpcStatus()
    {
        await using var mesh = await OneService.StartAsync([], version: HttpVersion.Version20);
        var content = new ByteArrayContent([]);
        content.Headers.ContentType = new("application/grpc");
        using var response = await mesh.SendAsync(HttpMethod.Post, "/pkg.Svc/Call", content);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("14", response.Headers.GetValues("grpc-status").Single());
        Assert.Equal("no healthy upstream", response.Headers.GetValues("grpc-message").Single());
    }

    [Fact]
    public async Task WebSocket_Upgrade_BecomesBytesBothWays()
    {
        await using var origin = await Origin.StartAsync(async http =>
        {
            var feature = http.Features.GetRequiredFeature<IHttpUpgradeFeature>();
            http.Response.Headers.Upgrade = "websocket";
            await using var stream = await feature.UpgradeAsync();
            var buffer = new byte[100];
            var count = await stream.ReadAsync(buffer);
            await stream.WriteAsync(Encoding.ASCII.GetBytes("echo:" + Encoding.ASCII.GetString(buffer, 0, count)));
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(mesh.Entry);
        var stream = client.GetStream();
        await stream.WriteAsync("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"u8.ToArray());
        using var reader = new StreamReader(stream, Encoding.ASCII);
        Assert.Equal("HTTP/1.1 101 Switching Protocols", await reader.ReadLineAsync());
        while (await reader.ReadLineAsync() is { Length: > 0 })
        {
        }

        await stream.WriteAsync("ping"u8.ToArray());
        Assert.Equal("echo:ping", await reader.ReadToEndAsync());
    }

    private static Task<Origin> EchoSocketAsync() => Origin.StartAsync(async http =>
    {
        http.Response.Headers.Upgrade = "websocket";
        await using var stream = await http.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
        await stream.CopyToAsync(stream);
    });

    private static async Task<(System.Net.Sockets.TcpClient Client, Stream Stream)> OpenSocketAsync(OneService mesh)
    {
        var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(mesh.Entry);
        var stream = client.GetStream();
        await stream.WriteAsync("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"u8.ToArray());
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await stream.ReadExactlyAsync(one);
            head.Append((char)one[0]);
        }

        Assert.StartsWith("HTTP/1.1 101", head.ToString(), StringComparison.Ordinal);
        return (client, stream);
    }

    [Fact]
    public async Task WebSocket_OutlivesTheRoutesTimeout()
    {
        var time = new ManualTimeProvider();
        await using var origin = await EchoSocketAsync();
        var timeout = OneService.Route(f => f.Timeout = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)));
        await using var mesh = await OneService.StartAsync([origin.Port], timeout, waypoint: new TestWaypoint(time: time));
        var (client, stream) = await OpenSocketAsync(mesh);
        using var _ = client;
        var buffer = new byte[4];
        for (var i = 0; i < 3; i++)
        {
            time.Advance(TimeSpan.FromSeconds(2));
            await stream.WriteAsync("ping"u8.ToArray());
            await stream.ReadExactlyAsync(buffer);
            Assert.Equal("ping"u8.ToArray(), buffer);
        }
    }

    [Fact]
    public async Task WebSocket_EndsByTheStreamsIdleTime()
    {
        var time = new ManualTimeProvider();
        await using var origin = await EchoSocketAsync();
        await using var mesh = await OneService.StartAsync([origin.Port], waypoint: new TestWaypoint(time: time, limits: WaypointLimits.Default with { StreamIdleTimeout = TimeSpan.FromSeconds(10) }));
        var (client, stream) = await OpenSocketAsync(mesh);
        using var _ = client;
        time.Advance(TimeSpan.FromSeconds(8));
        await stream.WriteAsync("ping"u8.ToArray());
        await stream.ReadExactlyAsync(new byte[4]);
        time.Advance(TimeSpan.FromSeconds(8));
        await stream.WriteAsync("ping"u8.ToArray());
        await stream.ReadExactlyAsync(new byte[4]);
        time.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal(0, await stream.ReadAsync(new byte[4]));
        Assert.Equal("SI", (await mesh.Waypoint.NextReportAsync()).Flags);
    }

    [Fact]
    public async Task Upgrade_OfAnotherKind_Is403()
    {
        await using var mesh = await OneService.StartAsync([1]);
        Assert.StartsWith("HTTP/1.1 403", await mesh.RawAsync("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: chat/2\r\n\r\n"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("get / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400")]
    [InlineData("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400")]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400")]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", "HTTP/1.1 400")]
    [InlineData("GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400")]
    public async Task Request_WithMoreThanOneMeaning_Is400AndClosed(string raw, string expected)
    {
        await using var mesh = await OneService.StartAsync([1]);
        Assert.StartsWith(expected, await mesh.RawAsync(raw), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ClientLeaves_BeforeTheAnswer_CancelsUpstreamAndIsDc()
    {
        var cancelled = new TaskCompletionSource();
        var arrived = new TaskCompletionSource();
        await using var origin = await Origin.StartAsync(async http =>
        {
            http.RequestAborted.Register(() => cancelled.TrySetResult());
            arrived.TrySetResult();
            await cancelled.Task;
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using (var client = new System.Net.Sockets.TcpClient())
        {
            await client.ConnectAsync(mesh.Entry);
            await client.GetStream().WriteAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray());
            await arrived.Task.WaitAsync(TimeSpan.FromSeconds(10));
        }

        await cancelled.Task.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal("DC", (await mesh.Waypoint.NextReportAsync()).Flags);
    }

    [Fact]
    public async Task Configuration_Changes_TakeEffectWithTheNextRequestOnTheSameConnection()
    {
        await using var one = await Origin.TextAsync("one");
        await using var two = await Origin.TextAsync("two");
        await using var mesh = await OneService.StartAsync([one.Port]);
        Assert.Equal("one", await mesh.TextAsync("/"));
        mesh.Apply([two.Port]);
        Assert.Equal("two", await mesh.TextAsync("/"));
    }
}
