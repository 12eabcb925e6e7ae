using System.Net;
using System.Net.Sockets;
using System.Text;
using Mesh.Waypoint.Tests.Harness;

namespace Mesh.Waypoint.Tests.Pipeline;

/// <summary>What an HTTP/1.1 application may do to the proxy in front of it.</summary>
public sealed class Http1UpstreamTests
{
    [Fact]
    public async Task Body_StreamedWhileTheAnswerIsRead_IsFullDuplex()
    {
        using var origin = new RawOrigin(async peer =>
        {
            await peer.ReadHeadAsync();
            await peer.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (var i = 0; i < 3; i++)
                await peer.SendAsync($"5\r\n{(await peer.ReadUntilAsync($"ping{i}"))[^5..]}\r\n");
            await peer.SendAsync("0\r\n\r\n");
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = new TcpClient();
        await client.ConnectAsync(mesh.Entry);
        var peer = new RawPeer(client.Client);
        await peer.SendAsync("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        await peer.ReadHeadAsync();
        for (var i = 0; i < 3; i++)
        {
            await peer.SendAsync($"5\r\nping{i}\r\n");
            await peer.ReadUntilAsync($"ping{i}").WaitAsync(TimeSpan.FromSeconds(20));
        }

        await peer.SendAsync("0\r\n\r\n");
        await peer.ReadUntilAsync("0\r\n\r\n").WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task Answer_BeforeTheBodyWasRead_ArrivesWholeAndTheConnectionIsNotUsedAgain()
    {
        using var origin = new RawOrigin(async peer =>
        {
            await peer.ReadHeadAsync();
            await peer.SendAsync("HTTP/1.1 413 Too Much\r\nContent-Length: 7\r\n\r\ntoo big");
            await peer.ReadUntilAsync("what never comes");
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var answer = await mesh.RawAsync("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nbeginning");
        Assert.StartsWith("HTTP/1.1 413", answer, StringComparison.Ordinal);
        Assert.EndsWith("too big", answer, StringComparison.Ordinal);
        Assert.Equal((413, "-"), await StatusAndFlagsAsync(mesh));
        using var again = await mesh.SendAsync(HttpMethod.Post, "/", new StringContent("x"));
        Assert.Equal(2, origin.Connections);
    }

    [Fact]
    public async Task Body_InOnePieceAfterTheHead_ArrivesWithoutAnotherRequest()
    {
        using var origin = new RawOrigin(async peer =>
        {
            while (await peer.ReadHeadAsync() is { Length: > 0 })
            {
                await peer.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
                await Task.Delay(20);
                await peer.SendAsync("abc");
            }
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        for (var i = 0; i < 5; i++)
            Assert.Equal("abc", await mesh.TextAsync("/").WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Equal(1, origin.Connections);
    }

    [Fact]
    public async Task Connection_ClosedWhileIdle_IsNotUsedAgain()
    {
        using var origin = new RawOrigin(async peer =>
        {
            await peer.ReadHeadAsync();
            await peer.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal("ok", await mesh.TextAsync("/"));
            await Task.Delay(30);
        }

        Assert.Equal(5, origin.Connections);
    }

    [Fact]
    public async Task Answer_ThatNobodyAskedFor_NeverBecomesTheNextRequests()
    {
        using var origin = new RawOrigin(async peer =>
        {
            await peer.ReadHeadAsync();
            await peer.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\npoison");
            await peer.ReadHeadAsync();
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        Assert.Equal("ok", await mesh.TextAsync("/1"));
        Assert.Equal("ok", await mesh.TextAsync("/2"));
        Assert.Equal(2, origin.Connections);
    }

    [Fact]
    public async Task Answer_AfterATimeout_NeverBecomesTheNextRequests()
    {
        var slow = true;
        using var origin = new RawOrigin(async peer =>
        {
            while (await peer.ReadHeadAsync() is { Length: > 0 } head)
            {
                if (slow)
                    await Task.Delay(400);
                await peer.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{head.Split(' ')[1]}");
            }
        });
        await using var mesh = await OneService.StartAsync(
            [origin.Port], OneService.Route(f => f.Timeout = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromMilliseconds(150))));
        Assert.Equal("upstream request timeout", await mesh.TextAsync("/1"));
        slow = false;
        using var response = await mesh.GetAsync("/2");
        if (response.StatusCode == HttpStatusCode.OK)
            Assert.Equal("/2", await response.Content.ReadAsStringAsync());
        Assert.Equal(2, origin.Connections);
    }

    [Fact]
    public async Task Early103_OnHttp1_ReachesTheClientBeforeTheAnswer()
    {
        using var origin = RawOrigin.Answering("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var answer = await mesh.RawAsync("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Expect_TheApplicationsContinue_LetsTheBodyThrough()
    {
        using var origin = new RawOrigin(async peer =>
        {
            Assert.Contains("expect: 100-continue\r\n", await peer.ReadHeadAsync(), StringComparison.Ordinal);
            await peer.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            await peer.ReadUntilAsync("body");
            await peer.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = new TcpClient();
        await client.ConnectAsync(mesh.Entry);
        var peer = new RawPeer(client.Client);
        await peer.SendAsync("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 100", await peer.ReadHeadAsync().WaitAsync(TimeSpan.FromSeconds(20)), StringComparison.Ordinal);
        await peer.SendAsync("body");
        Assert.StartsWith("HTTP/1.1 200", await peer.ReadHeadAsync().WaitAsync(TimeSpan.FromSeconds(20)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Expect_ClientSendsAnyway_IsNotHeldBackByASilentApplication()
    {
        using var origin = new RawOrigin(async peer =>
        {
            await peer.ReadHeadAsync();
            await peer.ReadUntilAsync("body");
            await peer.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = new TcpClient();
        await client.ConnectAsync(mesh.Entry);
        var peer = new RawPeer(client.Client);
        await peer.SendAsync("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
        await Task.Delay(50);
        await peer.SendAsync("body");
        await peer.ReadUntilAsync("ok").WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")]
    [InlineData("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n")]
    [InlineData("nonsense that goes on and on\r\n\r\n")]
    public async Task Answer_ThatIsNotHttp_Is502Upe(string bytes)
    {
        using var origin = RawOrigin.Answering(bytes);
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var response = await mesh.GetAsync("/");
        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal((502, "UPE"), await StatusAndFlagsAsync(mesh));
    }

    [Fact]
    public async Task Connections_AtTheLimit_OneWaitsOneOverflows()
    {
        var release = new TaskCompletionSource();
        var arrived = new TaskCompletionSource();
        using var origin = new RawOrigin(async peer =>
        {
            while (await peer.ReadHeadAsync() is { Length: > 0 })
            {
                arrived.TrySetResult();
                await release.Task;
                await peer.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            }
        });
        await using var mesh = await OneService.StartAsync(
            [origin.Port], cluster: c => c.ConnectionPool = new V1.ConnectionPool { MaxConnections = 1, MaxPendingRequests = 1 });
        var first = mesh.GetAsync("/");
        await arrived.Task.WaitAsync(TimeSpan.FromSeconds(20));
        List<Task<HttpResponseMessage>> requests = [first, mesh.GetAsync("/"), mesh.GetAsync("/")];
        var overflow = await await Task.WhenAny(requests).WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, overflow.StatusCode);
        Assert.Equal("true", overflow.Headers.GetValues("x-envoy-overloaded").Single());
        Assert.Equal((503, "UO"), await StatusAndFlagsAsync(mesh));
        release.SetResult();
        var rest = await Task.WhenAll(requests).WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(2, rest.Count(r => r.StatusCode == HttpStatusCode.OK));
        Assert.Equal(1, origin.Connections);
    }

    [Fact]
    public async Task Mirror_OfARequestWithABody_GetsTheBody()
    {
        var mirrored = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var mirror = await Origin.StartAsync(async http =>
        {
            using var reader = new StreamReader(http.Request.Body);
            mirrored.TrySetResult(await reader.ReadToEndAsync());
        });
        await using var origin = await Origin.StartAsync(http => http.Request.Body.CopyToAsync(http.Response.Body));
        const string MirrorCluster = "shop/mirror|80|";
        await using var mesh = await OneService.StartAsync([origin.Port], OneService.Route(f => f.Mirrors.Add(new V1.Mirror { Cluster = MirrorCluster, Percentage = 100 })));
        var endpoint = Balancing.Clusters.Endpoint(1, mirror.Port);
        endpoint.Address = Google.Protobuf.ByteString.CopyFrom(127, 0, 0, 1);
        Assert.Empty(mesh.Waypoint.Configuration.ApplyClusters([(MirrorCluster, new V1.Cluster { Name = MirrorCluster, Protocol = V1.Protocol.Http1, Endpoints = { endpoint } })], []));
        using var response = await mesh.SendAsync(HttpMethod.Post, "/", new StringContent("the body"));
        Assert.Equal("the body", await response.Content.ReadAsStringAsync());
        Assert.Equal("the body", await mirrored.Task.WaitAsync(TimeSpan.FromSeconds(20)));
    }

    [Theory]
    [InlineData("x-hop")]
    [InlineData("X-Hop , x-other")]
    public async Task Headers_NamedByConnection_DoNotReachTheApplication(string connection)
    {
        using var origin = new RawOrigin(async peer =>
        {
            var head = await peer.ReadHeadAsync();
            await peer.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {head.Length}\r\n\r\n{head}");
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = new TcpClient();
        await client.ConnectAsync(mesh.Entry);
        var peer = new RawPeer(client.Client);
        await peer.SendAsync($"GET / HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\nx-hop: 1\r\nx-stays: 2\r\n\r\n");
        await peer.ReadHeadAsync();
        var seen = await peer.ReadHeadAsync().WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Contains("x-stays: 2", seen, StringComparison.Ordinal);
        Assert.DoesNotContain("x-hop", seen, StringComparison.OrdinalIgnoreCase);
    }

    private static async Task<(int Status, string Flags)> StatusAndFlagsAsync(OneService mesh)
    {
        var report = await mesh.Waypoint.NextReportAsync();
        return (report.Status, report.Flags);
    }
}
