using System.Net;
using System.Net.Sockets;
using System.Text;
using Google.Protobuf.WellKnownTypes;
using Mesh.Hbone;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mesh.Waypoint.Tests.Transport;

/// <summary>Real tunnels on both sides: client, waypoint, node proxy, application.</summary>
public sealed class HboneTests
{
    [Fact]
    public async Task Request_ThroughBothTunnels_StatesTheClientAndContinuesItsTrace()
    {
        await using var origin = await Origin.TextAsync("hello");
        await using var mesh = await HboneMesh.StartAsync([origin.Port]);
        using var client = mesh.Client();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/") { Headers = { { "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" } } };
        using var response = await client.SendAsync(request);
        Assert.Equal("hello", await response.Content.ReadAsStringAsync());

        Assert.Equal(HboneMesh.WaypointIdentity, mesh.Nodes[0].LastPeer?.ToString());
        Assert.True(mesh.Nodes[0].Connects.TryDequeue(out var connect));
        Assert.Equal($"127.0.0.1:{origin.Port}", connect.Get(":authority"));
        Assert.Equal(Requests.Storefront, connect.Get(HboneHeaders.ClientPrincipal));
        Assert.Contains("0af7651916cd43dd8448eb211c80319c", connect.Get(HboneHeaders.TraceParent), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Http2_ThroughBothTunnels_CarriesTrailers()
    {
        await using var origin = await Origin.StartAsync(
            async http =>
            {
                await http.Request.Body.CopyToAsync(http.Response.Body);
                http.Response.AppendTrailer("grpc-status", "0");
            },
            HttpProtocols.Http2);
        await using var mesh = await HboneMesh.StartAsync([origin.Port], cluster: c => c.Protocol = V1.Protocol.Auto);
        using var client = mesh.Client(HttpVersion.Version20);
        using var response = await client.PostAsync("/a.B/C", new StringContent("x"));
        Assert.Equal("x", await response.Content.ReadAsStringAsync());
        Assert.Equal("0", response.TrailingHeaders.GetValues("grpc-status").Single());
    }

    [Theory]
    [InlineData(50_000)]
    [InlineData(200_000)]
    [InlineData(1_000_000)]
    [InlineData(8_000_000)]
    public async Task Body_AnySize_ArrivesWholeBothWays(int size)
    {
        await using var origin = await Origin.StartAsync(async http =>
        {
            using var received = new MemoryStream();
            await http.Request.Body.CopyToAsync(received);
            await http.Response.Body.WriteAsync(received.ToArray());
        });
        await using var mesh = await HboneMesh.StartAsync([origin.Port]);
        using var client = mesh.Client();
        var body = new byte[size];
        new Random(2).NextBytes(body);
        using var response = await client.PostAsync("/", new ByteArrayContent(body));
        Assert.Equal(body, await response.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData(401)]
    [InlineData(403)]
    [InlineData(503)]
    public async Task Connect_RefusedByOneOfTwoNodes_IsHiddenByTheDefaultRetries(int refusal)
    {
        await using var one = await Origin.TextAsync("ok");
        await using var two = await Origin.TextAsync("ok");
        await using var mesh = await HboneMesh.StartAsync([one.Port, two.Port]);
        mesh.Nodes[0].Refusal = refusal;
        using var client = mesh.Client();
        for (var i = 0; i < 30; i++)
            Assert.Equal("ok", await client.GetStringAsync("/"));
        Assert.Equal(0, one.Count);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(503)]
    public async Task Connect_RefusedByAll_IsUf(int refusal)
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await HboneMesh.StartAsync([origin.Port]);
        mesh.Nodes[0].Refusal = refusal;
        using var client = mesh.Client();
        using var response = await client.GetAsync("/");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        var report = await mesh.Waypoint.NextReportAsync();
        Assert.Equal(("URX,UF", 3), (report.Flags, report.Attempts));
    }

    [Theory]
    [InlineData(401)]
    [InlineData(503)]
    public async Task Connect_RefusedByOneOfTwoNodes_EjectsItsEndpoint(int refusal)
    {
        await using var one = await Origin.TextAsync("ok");
        await using var two = await Origin.TextAsync("ok");
        await using var mesh = await HboneMesh.StartAsync([one.Port, two.Port], cluster: c => c.OutlierDetection = new V1.OutlierDetection
        {
            Consecutive5Xx = 2,
            MaxEjectionPercent = 50,
            BaseEjectionTime = Duration.FromTimeSpan(TimeSpan.FromMinutes(5)),
            Interval = Duration.FromTimeSpan(TimeSpan.FromMinutes(5)),
        });
        mesh.Nodes[0].Refusal = refusal;
        using var client = mesh.Client();
        for (var i = 0; i < 40; i++)
            Assert.Equal("ok", await client.GetStringAsync("/"));
        Assert.Equal(2, mesh.Nodes[0].Connects.Count);
    }

    [Fact]
    public async Task Node_Dies_IsHiddenByTheDefaultRetries()
    {
        await using var one = await Origin.TextAsync("ok");
        await using var two = await Origin.TextAsync("ok");
        await using var mesh = await HboneMesh.StartAsync([one.Port, two.Port]);
        using var client = mesh.Client();
        for (var i = 0; i < 100; i++)
        {
            if (i == 20)
                await mesh.Nodes[0].DisposeAsync();
            Assert.Equal("ok", await client.GetStringAsync("/"));
        }
    }

    [Fact]
    public async Task Tunnels_Break_OnTheWayAreReplaced()
    {
        await using var one = await Origin.TextAsync("ok");
        await using var mesh = await HboneMesh.StartAsync([one.Port]);
        using var client = mesh.Client();
        for (var i = 0; i < 40; i++)
        {
            if (i % 10 == 5)
                await mesh.Nodes[0].BreakAsync();
            Assert.Equal("ok", await client.GetStringAsync("/"));
        }
    }

    [Fact]
    public async Task Application_Killed_IsHiddenByTheDefaultRetriesForRepeatableRequests()
    {
        await using var good = await Origin.TextAsync("ok");
        using var dying = new TcpListener(IPAddress.Loopback, 0);
        dying.Start();
        _ = CloseEverythingAsync(dying);
        await using var mesh = await HboneMesh.StartAsync([((IPEndPoint)dying.LocalEndpoint).Port, good.Port]);
        using var client = mesh.Client();
        for (var i = 0; i < 30; i++)
            Assert.Equal("ok", await client.GetStringAsync("/"));
    }

    [Fact]
    public async Task Authority_Unknown_IsRefusedWith503()
    {
        await using var mesh = await HboneMesh.StartAsync([1]);
        Assert.Equal((null, 503), await mesh.TunnelAsync("127.99.9.9:80"));
        Assert.Equal((null, 503), await mesh.TunnelAsync("127.50.1.1:81"));
        Assert.Equal((null, 400), await mesh.TunnelAsync("orders.shop.svc.cluster.local:80"));
    }

    [Fact]
    public async Task NotHttp_OnAnUndeclaredPort_IsCarriedAsTcpWithHalfClose()
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        await using var mesh = await HboneMesh.StartAsync([((IPEndPoint)server.LocalEndpoint).Port]);
        var (stream, _) = await mesh.TunnelAsync(OneService.Vip.ToString());
        await stream!.WriteAsync("*1\r\n$4\r\nPING\r\n"u8.ToArray());
        ((TunnelStream)stream).EndWrite();
        using var accepted = await server.AcceptSocketAsync();
        await using var application = new NetworkStream(accepted);
        using var reader = new StreamReader(application, Encoding.ASCII);
        Assert.Equal("*1\r\n$4\r\nPING\r\n", await reader.ReadToEndAsync());
        await application.WriteAsync("+PONG\r\n"u8.ToArray());
        accepted.Shutdown(SocketShutdown.Send);
        using var back = new StreamReader(stream, Encoding.ASCII);
        Assert.Equal("+PONG\r\n", await back.ReadToEndAsync());
    }

    [Fact]
    public async Task Identity_OfTheEndpointIsAnother_IsNeverSpokenTo()
    {
        await using var origin = await Origin.TextAsync("secret");
        await using var mesh = await HboneMesh.StartAsync([origin.Port], cluster: c =>
        {
            c.Endpoints[0].Identities.Clear();
            c.Endpoints[0].Identities.Add("spiffe://cluster.local/ns/shop/sa/somebody-else");
        });
        using var client = mesh.Client();
        using var response = await client.GetAsync("/");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(0, origin.Count);
    }

    private static async Task CloseEverythingAsync(TcpListener listener)
    {
        try
        {
            while (true)
            {
                using var socket = await listener.AcceptSocketAsync();
                await socket.ReceiveAsync(new byte[1024]);
            }
        }
        catch (SocketException)
        {
            // The test is over.
        }
    }
}
