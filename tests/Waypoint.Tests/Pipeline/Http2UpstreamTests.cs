using System.Net;
using System.Net.Sockets;
using System.Text;
using Google.Protobuf.WellKnownTypes;
using Mesh.Http2;
using Mesh.Testing.Http2;
using Mesh.Waypoint.Tests.Harness;

namespace Mesh.Waypoint.Tests.Pipeline;

/// <summary>What an HTTP/2 application may do to the proxy in front of it, frame by frame.</summary>
public sealed class Http2UpstreamTests
{
    private static Task<OneService> StartAsync(RawHttp2Origin origin, Action<V1.ServicePort>? port = null, Action<V1.ConnectionPool>? pool = null, string version = "1.1") => OneService.StartAsync(
        [origin.Port],
        port,
        c =>
        {
            c.Protocol = V1.Protocol.Http2;
            c.ConnectionPool = new V1.ConnectionPool();
            pool?.Invoke(c.ConnectionPool);
        },
        Version.Parse(version));

    private static async Task<(int Status, string Flags, string? Details, int Attempts)> ReportAsync(OneService mesh)
    {
        var report = await mesh.Waypoint.NextReportAsync();
        return (report.Status, report.Flags, report.Details, report.Attempts);
    }

    [Fact]
    public async Task RefusedStream_IsTriedAgainByTheDefaultPolicy_AndOtherResetsAreNot()
    {
        using var origin = new RawHttp2Origin(async (server, _) =>
        {
            await server.SendResetAsync((await RawHttp2Origin.RequestAsync(server)).StreamId, Http2ErrorCode.REFUSED_STREAM);
            await RawHttp2Origin.AnswerAsync(server, (await RawHttp2Origin.RequestAsync(server)).StreamId, "ok");
            await server.SendResetAsync((await RawHttp2Origin.RequestAsync(server)).StreamId, Http2ErrorCode.INTERNAL_ERROR);
            await server.ReadAsync();
        });
        await using var mesh = await StartAsync(origin);
        Assert.Equal("ok", await mesh.TextAsync("/"));
        Assert.Equal((200, "-", "via_upstream", 2), await ReportAsync(mesh));
        Assert.Equal(503, (int)(await mesh.GetAsync("/")).StatusCode);
        Assert.Equal((503, "UR", "upstream_reset_before_response_started{remote_reset}", 1), await ReportAsync(mesh));
        Assert.Equal(1, origin.Connections);
    }

    [Fact]
    public async Task RefusedStream_WithoutRetries_IsTheAnswer()
    {
        using var origin = new RawHttp2Origin(async (server, _) =>
        {
            while (true)
                await server.SendResetAsync((await RawHttp2Origin.RequestAsync(server)).StreamId, Http2ErrorCode.REFUSED_STREAM);
        });
        await using var mesh = await StartAsync(origin, OneService.Route(f => f.Retry = new V1.RetryPolicy()));
        Assert.Equal(503, (int)(await mesh.GetAsync("/")).StatusCode);
        Assert.Equal((503, "UR", "upstream_reset_before_response_started{remote_refused_stream_reset}", 1), await ReportAsync(mesh));
    }

    [Fact]
    public async Task GoAway_InFlight_FinishesWhatIsBelowIt_AndRepeatsTheOtherElsewhereInTheSameTry()
    {
        using var origin = new RawHttp2Origin(async (server, connection) =>
        {
            var first = await RawHttp2Origin.RequestAsync(server);
            if (connection == 1)
            {
                var second = await RawHttp2Origin.RequestAsync(server);
                Assert.True(second.StreamId > first.StreamId);
                await server.SendGoAwayAsync(first.StreamId);
            }

            await RawHttp2Origin.AnswerAsync(server, first.StreamId, $"{first.Headers!.Path} on {connection}");
            await server.ReadAsync();
        });
        await using var mesh = await StartAsync(origin, OneService.Route(f => f.Retry = new V1.RetryPolicy { Attempts = 1, RetryOn = { "gateway-error" } }));
        var one = mesh.TextAsync("/1");
        var two = mesh.SendAsync(HttpMethod.Post, "/2", new StringContent("body"));
        string[] answers = [await one, await (await two).Content.ReadAsStringAsync()];
        Assert.Equal(["on 1", "on 2"], answers.Select(a => a[3..]).Order());
        Assert.Equal(2, origin.Connections);
        Assert.Equal((200, "-", "via_upstream", 1), await ReportAsync(mesh));
        Assert.Equal((200, "-", "via_upstream", 1), await ReportAsync(mesh));
    }

    [Fact]
    public async Task GoAway_OnEveryConnection_EndsAsRefused()
    {
        using var origin = new RawHttp2Origin(async (server, _) =>
        {
            await RawHttp2Origin.RequestAsync(server);
            await server.SendGoAwayAsync(0);
            await server.ReadAsync();
        });
        await using var mesh = await StartAsync(origin, OneService.Route(f => f.Retry = new V1.RetryPolicy()));
        Assert.Equal(503, (int)(await mesh.GetAsync("/")).StatusCode);
        Assert.Equal((503, "UR", "upstream_reset_before_response_started{remote_refused_stream_reset}", 1), await ReportAsync(mesh));
    }

    [Fact]
    public async Task StreamLimit_OpensAnotherConnection_AndKeepsIt()
    {
        var both = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var arrived = 0;
        using var origin = new RawHttp2Origin(
            async (server, _) =>
            {
                while (true)
                {
                    var request = await RawHttp2Origin.RequestAsync(server);
                    if (Interlocked.Increment(ref arrived) == 2)
                        both.TrySetResult();
                    await both.Task;
                    await RawHttp2Origin.AnswerAsync(server, request.StreamId, $"stream {request.StreamId}");
                }
            },
            maxConcurrentStreams: 1);
        await using var mesh = await StartAsync(origin);
        Assert.Equal(["stream 1", "stream 1"], await Task.WhenAll(mesh.TextAsync("/"), mesh.TextAsync("/")));
        Assert.Equal("stream 3", await mesh.TextAsync("/"));
        Assert.Equal(2, origin.Connections);
    }

    [Fact]
    public async Task StreamLimit_WithOneConnectionAllowed_HoldsTheOthersBack_AndPendingOnesAreLimited()
    {
        var release = new SemaphoreSlim(0);
        using var origin = new RawHttp2Origin(
            async (server, _) =>
            {
                while (true)
                {
                    var request = await RawHttp2Origin.RequestAsync(server);
                    await release.WaitAsync();
                    await RawHttp2Origin.AnswerAsync(server, request.StreamId, "ok");
                }
            },
            maxConcurrentStreams: 1);
        await using var mesh = await StartAsync(origin, pool: p => (p.MaxConnections, p.MaxPendingRequests) = (1, 1));
        release.Release();
        Assert.Equal("ok", await mesh.TextAsync("/"));
        await ReportAsync(mesh);
        var waiting = Enumerable.Range(0, 3).Select(_ => mesh.GetAsync("/")).ToList();
        var refused = await Task.WhenAny(waiting);
        Assert.Equal(503, (int)(await refused).StatusCode);
        Assert.Equal((503, "UO", "upstream_reset_before_response_started{overflow}", 1), await ReportAsync(mesh));
        waiting.Remove(refused);
        release.Release(2);
        foreach (var response in await Task.WhenAll(waiting))
            Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal(1, origin.Connections);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task ClientLeaves_TheStreamIsReset_AndTheConnectionGoesOn(string version)
    {
        var reset = new TaskCompletionSource<WireFrame>(TaskCreationOptions.RunContinuationsAsynchronously);
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var origin = new RawHttp2Origin(async (server, _) =>
        {
            await RawHttp2Origin.RequestAsync(server);
            arrived.TrySetResult();
            reset.TrySetResult(await RawHttp2Origin.FrameAsync(server, "RST_STREAM"));
            await RawHttp2Origin.AnswerAsync(server, (await RawHttp2Origin.RequestAsync(server)).StreamId, "ok");
            await server.ReadAsync();
        });
        await using var mesh = await StartAsync(origin);
        if (version == "1.1")
        {
            using var client = new TcpClient();
            await client.ConnectAsync(mesh.Entry);
            await client.GetStream().WriteAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray());
            await arrived.Task.WaitAsync(TimeSpan.FromSeconds(20));
        }
        else
        {
            using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
            await client.SendRequestAsync(1, "GET", "/");
            await arrived.Task.WaitAsync(TimeSpan.FromSeconds(20));
            await client.SendResetAsync(1, Http2ErrorCode.CANCEL);
        }

        Assert.Equal((1u, Http2ErrorCode.CANCEL), await reset.Task.WaitAsync(TimeSpan.FromSeconds(20)) is var r ? (r.StreamId, r.ErrorCode) : default);
        Assert.Equal("DC", (await mesh.Waypoint.NextReportAsync()).Flags);
        Assert.Equal("ok", await mesh.TextAsync("/"));
        Assert.Equal(1, origin.Connections);
    }

    [Fact]
    public async Task SmallFrames_OnTheirWayWhenTheClientLeft_AreNoFaultOfTheApplication()
    {
        using var origin = new RawHttp2Origin(async (server, _) =>
        {
            var request = await RawHttp2Origin.RequestAsync(server);
            await server.SendHeadersAsync(request.StreamId, false, (":status", "200"));
            await RawHttp2Origin.FrameAsync(server, "RST_STREAM");
            byte[] frame = [0, 0, 1, 0, 0, 0, 0, 0, (byte)request.StreamId, 1];
            await server.SendRawAsync(Enumerable.Repeat(frame, 60_000).SelectMany(f => f).ToArray());
            await RawHttp2Origin.AnswerAsync(server, (await RawHttp2Origin.RequestAsync(server)).StreamId, "ok");
        });
        await using var mesh = await StartAsync(origin);
        using (await mesh.GetAsync("/"))
        {
        }

        Assert.Equal("DC", (await mesh.Waypoint.NextReportAsync()).Flags);
        Assert.Equal("ok", await mesh.TextAsync("/"));
        Assert.Equal(1, origin.Connections);
    }

    [Fact]
    public async Task Timeout_ResetsTheStream()
    {
        var reset = new TaskCompletionSource<WireFrame>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var origin = new RawHttp2Origin(async (server, _) =>
        {
            await RawHttp2Origin.RequestAsync(server);
            reset.TrySetResult(await RawHttp2Origin.FrameAsync(server, "RST_STREAM"));
            await server.ReadAsync();
        });
        await using var mesh = await StartAsync(origin, OneService.Route(f => f.Timeout = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(100))));
        Assert.Equal(504, (int)(await mesh.SendAsync(HttpMethod.Post, "/", new StringContent("x"))).StatusCode);
        Assert.Equal(Http2ErrorCode.CANCEL, (await reset.Task.WaitAsync(TimeSpan.FromSeconds(20))).ErrorCode);
        Assert.Equal("UT", (await mesh.Waypoint.NextReportAsync()).Flags);
    }

    [Theory]
    [InlineData(78 * 1024, 200, "-")]
    [InlineData(84 * 1024, 502, "UPE")]
    public async Task ResponseHeaders_UpToTheLimit_AndTheConnectionGoesOn(int size, int status, string flags)
    {
        using var origin = new RawHttp2Origin(async (server, _) =>
        {
            var first = await RawHttp2Origin.RequestAsync(server);
            await server.SendHeadersAsync(first.StreamId, true, [(":status", "200"), .. Enumerable.Range(0, size / 1024).Select(i => ($"x-{i:00}", new string('a', 1024 - 32 - 4)))]);
            await RawHttp2Origin.AnswerAsync(server, (await RawHttp2Origin.RequestAsync(server)).StreamId, "ok");
            await server.ReadAsync();
        });
        await using var mesh = await StartAsync(origin);
        var answer = await mesh.RawAsync("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.StartsWith($"HTTP/1.1 {status}", answer, StringComparison.Ordinal);
        Assert.Equal((status, flags), await ReportAsync(mesh) is var r ? (r.Status, r.Flags) : default);
        Assert.Equal("ok", await mesh.TextAsync("/"));
        Assert.Equal(1, origin.Connections);
    }

    [Fact]
    public async Task RequestHeaders_LongerThanAFrame_ArriveWhole_InLatin1()
    {
        var value = string.Concat(Enumerable.Repeat("ü~x", 10_000));
        var head = new TaskCompletionSource<HeaderList>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var origin = new RawHttp2Origin(async (server, _) =>
        {
            var request = await RawHttp2Origin.RequestAsync(server);
            head.TrySetResult(request.Headers!);
            await server.SendHeadersAsync(request.StreamId, true, (":status", "200"), ("x-back", "ü"));
            await server.ReadAsync();
        });
        await using var mesh = await StartAsync(origin);
        var answer = await mesh.RawAsync($"GET /a?b HTTP/1.1\r\nHost: shop.example\r\nX-Long: {value}\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\r\n");
        Assert.Contains("x-back: ü\r\n", answer, StringComparison.Ordinal);
        var seen = await head.Task;
        Assert.Equal(("GET", "http", "shop.example", "/a?b", value), (seen.Method, seen.Scheme, seen.Authority, seen.Path, seen.Get("x-long")));
        Assert.False(seen.Contains("host"));
        Assert.False(seen.Contains("connection"));
    }

    [Theory]
    [InlineData("before", "UC", "upstream_reset_before_response_started{connection_termination}", 503)]
    [InlineData("within", "UC", "upstream_reset_after_response_started{connection_termination}", 200)]
    [InlineData("garbage", "UPE", "upstream_reset_before_response_started{protocol_error}", 502)]
    [InlineData("push", "UPE", "upstream_reset_before_response_started{protocol_error}", 502)]
    [InlineData("upper", "UPE", "upstream_reset_before_response_started{protocol_error}", 502)]
    [InlineData("length", "UPE", "upstream_reset_after_response_started{protocol_error}", 200)]
    [InlineData("reset within", "UR", "upstream_reset_after_response_started{remote_reset}", 200)]
    public async Task Connection_OrStreamThatBreaks_HasItsFlag(string how, string flags, string details, int status)
    {
        using var origin = new RawHttp2Origin(async (server, connection) =>
        {
            var request = await RawHttp2Origin.RequestAsync(server);
            if (how is "within" or "reset within" or "length" && connection == 1)
                await server.SendHeadersAsync(request.StreamId, false, (":status", "200"), ("content-length", "10"));
            switch (connection == 1 ? how : "well")
            {
                case "before":
                    server.EndSending();
                    return;
                case "within":
                    await server.SendDataAsync(request.StreamId, "half");
                    server.EndSending();
                    break;
                case "length":
                    await server.SendDataAsync(request.StreamId, "half", endStream: true);
                    break;
                case "reset within":
                    await server.SendDataAsync(request.StreamId, "half");
                    await server.SendResetAsync(request.StreamId, Http2ErrorCode.INTERNAL_ERROR);
                    break;
                case "garbage":
                    await server.SendRawAsync(Encoding.ASCII.GetBytes("HTTP/1.1 400 Bad Request\r\n\r\n"));
                    break;
                case "push":
                    await server.SendFrameAsync("PUSH_PROMISE", 4, request.StreamId, new byte[4]);
                    break;
                case "upper":
                    await server.SendHeadersAsync(request.StreamId, true, (":status", "200"), ("X-Upper", "1"));
                    break;
                default:
                    await RawHttp2Origin.AnswerAsync(server, request.StreamId, "ok");
                    break;
            }

            if (how is "upper" or "reset within" or "length")
                await RawHttp2Origin.AnswerAsync(server, (await RawHttp2Origin.RequestAsync(server)).StreamId, "ok");
            await server.ReadAsync();
        });
        await using var mesh = await StartAsync(origin);
        using (var response = await mesh.SendAsync(HttpMethod.Post, "/", new StringContent("x")))
        {
            Assert.Equal(status, (int)response.StatusCode);
            if (status == 200)
                Assert.NotNull(await Record.ExceptionAsync(() => response.Content.ReadAsStringAsync()));
        }

        Assert.Equal((flags, details), await ReportAsync(mesh) is var r ? (r.Flags, r.Details) : default);
        Assert.Equal("ok", await mesh.TextAsync("/"));
    }

    [Fact]
    public async Task Answer_BeforeTheBodyEnds_IsPassedOn_AndNoErrorResetIsNone()
    {
        using var origin = new RawHttp2Origin(async (server, _) =>
        {
            var request = await RawHttp2Origin.RequestAsync(server);
            await RawHttp2Origin.FrameAsync(server, "DATA");
            await server.SendHeadersAsync(request.StreamId, false, (":status", "413"));
            await server.SendDataAsync(request.StreamId, "too much", endStream: true);
            await server.SendResetAsync(request.StreamId, Http2ErrorCode.NO_ERROR);
            await RawHttp2Origin.AnswerAsync(server, (await RawHttp2Origin.RequestAsync(server)).StreamId, "ok");
            await server.ReadAsync();
        });
        await using var mesh = await StartAsync(origin);
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "POST", "/", endStream: false);
        await client.SendDataAsync(1, "beginning");
        Assert.Equal((413, "too much"), await client.ResponseAsync(1) is var r ? (r.Status, r.Body) : default);
        Assert.Equal((413, "-", "via_upstream", 1), await ReportAsync(mesh));
        Assert.Equal("ok", await mesh.TextAsync("/"));
        Assert.Equal(1, origin.Connections);
    }

    [Fact]
    public async Task Interim_100LetsTheBodyThrough_And103ReachesTheClient()
    {
        using var origin = new RawHttp2Origin(async (server, _) =>
        {
            var request = await RawHttp2Origin.RequestAsync(server);
            await server.SendHeadersAsync(request.StreamId, false, (":status", "100"));
            var body = await RawHttp2Origin.FrameAsync(server, "DATA");
            await RawHttp2Origin.AnswerAsync(server, request.StreamId, body.Text);
            var hinted = await RawHttp2Origin.RequestAsync(server);
            await server.SendHeadersAsync(hinted.StreamId, false, (":status", "103"), ("link", "</style.css>"));
            await RawHttp2Origin.AnswerAsync(server, hinted.StreamId, "ok");
            await server.ReadAsync();
        });
        await using var mesh = await StartAsync(origin);
        using (var client = new TcpClient())
        {
            await client.ConnectAsync(mesh.Entry);
            using var peer = new RawPeer(client.Client);
            await peer.SendAsync("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
            Assert.StartsWith("HTTP/1.1 100", await peer.ReadHeadAsync(), StringComparison.Ordinal);
            await peer.SendAsync("body");
            Assert.StartsWith("HTTP/1.1 200", await peer.ReadHeadAsync(), StringComparison.Ordinal);
            await peer.ReadUntilAsync("body");
        }

        var answer = await mesh.RawAsync("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.Matches("^HTTP/1.1 103 .*\r\nlink: </style.css>\r\n\r\nHTTP/1.1 200", answer);
    }

    [Fact]
    public async Task Connection_IdleTooLong_OrRetired_EndsInOrder()
    {
        var ended = new SemaphoreSlim(0);
        var goAways = 0;
        using var origin = new RawHttp2Origin(async (server, _) =>
        {
            while (await server.ReadAsync() is { } frame)
            {
                if (frame.Type == "HEADERS")
                    await RawHttp2Origin.AnswerAsync(server, frame.StreamId, "ok");
                else if (frame.Type == "GOAWAY" && frame.ErrorCode == Http2ErrorCode.NO_ERROR)
                    Interlocked.Increment(ref goAways);
            }

            ended.Release();
        });
        await using var mesh = await StartAsync(origin, pool: p => p.IdleTimeout = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(300)));
        Assert.Equal("ok", await mesh.TextAsync("/"));
        Assert.True(await ended.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Equal("ok", await mesh.TextAsync("/"));
        mesh.Apply([1], cluster: c => c.Protocol = V1.Protocol.Http2);
        Assert.True(await ended.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Equal((2, 2), (origin.Connections, goAways));
    }

    [Fact]
    public async Task RequestsPerConnection_AreLimited()
    {
        using var origin = new RawHttp2Origin(async (server, connection) =>
        {
            while (true)
                await RawHttp2Origin.AnswerAsync(server, (await RawHttp2Origin.RequestAsync(server)).StreamId, $"{connection}");
        });
        await using var mesh = await StartAsync(origin, pool: p => p.MaxRequestsPerConnection = 2);
        var answers = new List<string>();
        for (var i = 0; i < 5; i++)
            answers.Add(await mesh.TextAsync("/"));
        Assert.Equal(["1", "1", "2", "2", "3"], answers);
    }

    [Fact]
    public async Task Burst_BeforeTheApplicationsSettings_IsHeldToTheLimitThatTheyName()
    {
        const int Count = 20;
        var open = 0;
        var most = 0;
        using var origin = new RawHttp2Origin(
            async (server, _) =>
            {
                var mine = new HashSet<uint>();
                while (true)
                {
                    var request = await RawHttp2Origin.RequestAsync(server);
                    Assert.True(mine.Add(request.StreamId));
                    most = Math.Max(most, mine.Count);
                    Interlocked.Increment(ref open);
                    await RawHttp2Origin.AnswerAsync(server, request.StreamId, "ok");
                    mine.Remove(request.StreamId);
                }
            },
            maxConcurrentStreams: 1);
        await using var mesh = await StartAsync(origin, OneService.Route(f => f.Retry = new V1.RetryPolicy()));
        Assert.All(await Task.WhenAll(Enumerable.Range(0, Count).Select(_ => mesh.TextAsync("/"))), answer => Assert.Equal("ok", answer));
        Assert.Equal((Count, 1), (open, most));
    }

    [Fact]
    public async Task NoConnection_IsAConnectFailure()
    {
        await using var mesh = await OneService.StartAsync([Mesh.Testing.Ports.Unused()], OneService.Route(f => f.Retry = new V1.RetryPolicy()), c => c.Protocol = V1.Protocol.Http2);
        var answers = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => mesh.GetAsync("/")));
        Assert.All(answers, a => Assert.Equal(HttpStatusCode.ServiceUnavailable, a.StatusCode));
        for (var i = 0; i < answers.Length; i++)
            Assert.Equal("UF", (await mesh.Waypoint.NextReportAsync()).Flags);
    }
}
