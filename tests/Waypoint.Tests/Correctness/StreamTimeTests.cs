using System.Net;
using System.Net.Sockets;
using System.Text;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.Correctness;

/// <summary>The timers of reference 7.6, each with what the client and the log are told. Every one that is off by default is off.</summary>
public sealed class StreamTimeTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(200);

    private static WaypointLimits With(Func<WaypointLimits, WaypointLimits> change) => change(WaypointLimits.Default);

    private static async Task<(string Answer, Reported Report)> HalfABodyAsync(WaypointLimits limits)
    {
        await using var origin = await Origin.StartAsync(http => http.Request.Body.CopyToAsync(Stream.Null));
        await using var mesh = await OneService.StartAsync([origin.Port], limits: limits);
        var answer = await mesh.RawAsync("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
        var report = await mesh.Waypoint.NextReportAsync();
        Assert.Equal(HttpStatusCode.OK, (await mesh.SendAsync(HttpMethod.Post, "/", new StringContent("x"))).StatusCode);
        return (answer, report);
    }

    [Fact]
    public async Task StreamIdle_WhileTheRequestIsIncomplete_Is408Si()
    {
        var (answer, report) = await HalfABodyAsync(With(l => l with { StreamIdleTimeout = Short }));
        Assert.StartsWith("HTTP/1.1 408", answer, StringComparison.Ordinal);
        Assert.EndsWith("stream timeout", answer, StringComparison.Ordinal);
        Assert.Equal((408, "SI", "stream_idle_timeout"), (report.Status, report.Flags, report.Details));
    }

    [Fact]
    public async Task StreamIdle_WhileTheApplicationIsSilent_Is504Si()
    {
        await using var origin = await Origin.StartAsync(http => Task.Delay(Timeout.Infinite, http.RequestAborted));
        await using var mesh = await OneService.StartAsync([origin.Port], limits: With(l => l with { StreamIdleTimeout = Short }));
        using var response = await mesh.GetAsync("/");
        Assert.Equal("stream timeout", await response.Content.ReadAsStringAsync());
        var report = await mesh.Waypoint.NextReportAsync();
        Assert.Equal((504, "SI", "stream_idle_timeout", 1), (report.Status, report.Flags, report.Details, report.Attempts));
    }

    [Fact]
    public async Task StreamIdle_AfterTheHeaders_CutsTheResponse()
    {
        await using var origin = await Origin.StartAsync(async http =>
        {
            await http.Response.WriteAsync("beginning");
            await http.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, http.RequestAborted);
        });
        await using var mesh = await OneService.StartAsync([origin.Port], limits: With(l => l with { StreamIdleTimeout = TimeSpan.FromSeconds(3) }));
        using var response = await mesh.GetAsync("/");
        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsStringAsync());
        var report = await mesh.Waypoint.NextReportAsync();
        Assert.Equal((200, "SI", "stream_idle_timeout"), (report.Status, report.Flags, report.Details));
    }

    [Fact]
    public async Task StreamIdle_WhileBytesMove_DoesNotElapse()
    {
        await using var origin = await Origin.StartAsync(async http =>
        {
            for (var i = 0; i < 10; i++)
            {
                await http.Response.WriteAsync("x");
                await http.Response.Body.FlushAsync();
                await Task.Delay(600);
            }
        });
        await using var mesh = await OneService.StartAsync([origin.Port], limits: With(l => l with { StreamIdleTimeout = TimeSpan.FromSeconds(5) }));
        Assert.Equal("xxxxxxxxxx", await mesh.TextAsync("/"));
    }

    [Fact]
    public async Task RequestTimeout_BodyThatDoesNotEnd_Is408()
    {
        var (answer, report) = await HalfABodyAsync(With(l => l with { RequestTimeout = Short }));
        Assert.StartsWith("HTTP/1.1 408", answer, StringComparison.Ordinal);
        Assert.Equal((408, "-", "request_overall_timeout"), (report.Status, report.Flags, report.Details));
    }

    [Fact]
    public async Task RequestHeadersTimeout_HeadersThatDoNotEnd_Is408()
    {
        await using var mesh = await OneService.StartAsync([1], limits: With(l => l with { RequestHeadersTimeout = Short }));
        Assert.StartsWith("HTTP/1.1 408", await mesh.RawAsync("GET / HTTP/1.1\r\nHost: x\r\nX-Slow:"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task MaxStreamDuration_HoweverLively_Is504Umsdr()
    {
        await using var origin = await Origin.StartAsync(http => Task.Delay(Timeout.Infinite, http.RequestAborted));
        await using var mesh = await OneService.StartAsync([origin.Port], limits: With(l => l with { MaxStreamDuration = Short }));
        using var response = await mesh.GetAsync("/");
        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        Assert.Equal("UMSDR", (await mesh.Waypoint.NextReportAsync()).Flags);
    }

    [Fact]
    public async Task IdleConnection_IsClosedAfterItsTime()
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await OneService.StartAsync([origin.Port], limits: With(l => l with { IdleTimeout = TimeSpan.FromSeconds(1) }));

        // Without "connection: close": that the read ends at all is the proof.
        Assert.Contains("ok", await mesh.RawAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Times_ThatAreOff_LetASlowRequestThrough()
    {
        await using var origin = await Origin.StartAsync(async http =>
        {
            await Task.Delay(700);
            await http.Request.Body.CopyToAsync(http.Response.Body);
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = new TcpClient();
        await client.ConnectAsync(mesh.Entry);
        using var peer = new RawPeer(client.Client);
        foreach (var piece in (string[])["POST / HTTP/1.1\r\nHost:", " x\r\nContent-Length: 6\r\n\r\n", "ab", "cd", "ef"])
        {
            await peer.SendAsync(piece);
            await Task.Delay(150);
        }

        Assert.StartsWith("HTTP/1.1 200", await peer.ReadHeadAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connect_ThatTakesTooLong_IsUf_AndDefaultsToTenSeconds()
    {
        Assert.Equal(TimeSpan.FromSeconds(10), Mesh.Waypoint.Resilience.ConnectionLimits.Compile(null).ConnectTimeout);
        await using var waypoint = new TestWaypoint(new Never());
        await waypoint.StartAsync();
        var entry = waypoint.Serve(OneService.Vip);
        var cluster = new V1.Cluster
        {
            Name = OneService.ClusterName, Namespace = "shop", Hostname = "orders.shop.svc.cluster.local", Port = 80, Protocol = V1.Protocol.Http1,
            ConnectionPool = new V1.ConnectionPool { ConnectTimeout = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(Short) },
            Endpoints = { Balancing.Clusters.Endpoint(1, 1) },
        };
        Assert.Empty(waypoint.Configuration.ApplyClusters([(cluster.Name, cluster)], []));
        Assert.Empty(waypoint.Configuration.ApplyServices(
            [("shop/orders", new V1.Service
            {
                Name = "orders", Namespace = "shop", Hostname = "orders.shop.svc.cluster.local",
                Addresses = { Google.Protobuf.ByteString.CopyFrom(OneService.Vip.Address.GetAddressBytes()) },
                Ports = { new V1.ServicePort { Port = 80, Protocol = V1.Protocol.Http1, DefaultCluster = OneService.ClusterName } },
            })],
            []));
        using var client = new HttpClient { BaseAddress = new Uri($"http://{entry}") };
        using var response = await client.GetAsync("/");
        Assert.Equal("upstream connect error or disconnect/reset before headers. retried and the latest reset reason: connection timeout", await response.Content.ReadAsStringAsync());
        Assert.Equal((503, "URX,UF", 3), await waypoint.NextReportAsync() is var r ? (r.Status, r.Flags, r.Attempts) : default);
    }

    [Fact]
    public async Task TcpIdle_WithoutAByte_EndsTheConnection()
    {
        using var origin = new RawOrigin(async peer => await peer.ReadUntilAsync("never"));
        await using var mesh = await OneService.StartAsync(
            [origin.Port], port => port.Protocol = V1.Protocol.Tcp, cluster => cluster.Protocol = V1.Protocol.Tcp, limits: With(l => l with { TcpIdleTimeout = TimeSpan.FromMilliseconds(400) }));
        Assert.Equal(string.Empty, await mesh.RawAsync("hello"));
        Assert.Equal(1, origin.Connections);
    }

    private sealed class Never : IUpstreamDialer
    {
        public async ValueTask<Stream> DialAsync(Mesh.Waypoint.Balancing.EndpointState endpoint, DialContext context, TimeSpan timeout, CancellationToken cancellation)
        {
            await Task.Delay(Timeout.Infinite, cancellation);
            return Stream.Null;
        }
    }
}
