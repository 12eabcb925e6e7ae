using System.Net;
using Google.Protobuf.WellKnownTypes;
using Mesh.Testing.Http2;
using Mesh.Waypoint.Tests.Harness;

namespace Mesh.Waypoint.Tests.Correctness;

/// <summary>Applications that lie, stop or break off: what the client is told, what is logged, and that the next request is served by a clean connection.</summary>
public sealed class HostileApplicationTests
{
    private const string Good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    /// <summary>The first request is answered as told, every later one well.</summary>
    private static RawOrigin Once(Func<RawPeer, Task> bad)
    {
        var first = true;
        return new RawOrigin(async peer =>
        {
            while (await peer.ReadHeadAsync() is { Length: > 0 })
            {
                if (!first)
                {
                    await peer.SendAsync(Good);
                    continue;
                }

                first = false;
                await bad(peer);
                return;
            }
        });
    }

    public static TheoryData<string, string, int, string, string> Answers => new()
    {
        { "no HTTP", "SSH-2.0-OpenSSH_9\r\n", 502, "UPE", "protocol_error" },
        { "length and chunked", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 502, "UPE", "protocol_error" },
        { "two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", 502, "UPE", "protocol_error" },
        { "length that is none", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 502, "UPE", "protocol_error" },
        { "unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", 502, "UPE", "protocol_error" },
        { "NUL in a value", "HTTP/1.1 200 OK\r\nX-A: a\0b\r\n\r\n", 502, "UPE", "protocol_error" },
        { "LF alone in a value", "HTTP/1.1 200 OK\r\nX-A: a\nX-B: b\r\n\r\n", 502, "UPE", "protocol_error" },
        { "head that breaks off", "HTTP/1.1 200 OK\r\nContent-", 502, "UPE", "protocol_error" },
        { "101 that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", 502, "UPE", "protocol_error" },
        { "end without an answer", "", 503, "UC", "connection_termination" },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public async Task Answer_ThatIsNone_IsTheRightStatusFlagAndDetails(string what, string answer, int status, string flags, string details)
    {
        using var origin = Once(peer => answer.Length == 0 ? Task.CompletedTask : peer.SendAsync(answer));
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var response = await mesh.SendAsync(HttpMethod.Post, "/", new StringContent("x"));
        Assert.True((int)response.StatusCode == status, $"{what}: {(int)response.StatusCode}");
        var report = await mesh.Waypoint.NextReportAsync();
        Assert.Equal((flags, $"upstream_reset_before_response_started{{{details}}}", 1), (report.Flags, report.Details, report.Attempts));
        Assert.Equal("ok", await mesh.TextAsync("/"));
    }

    public static TheoryData<string, string> Broken => new()
    {
        { "body shorter than its length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf" },
        { "chunk that breaks off", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf" },
        { "chunk that is none", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n" },
        { "no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n" },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public async Task Body_ThatBreaksOff_IsNeverTakenForWhole(string what, string answer)
    {
        foreach (var version in (Version[])[HttpVersion.Version11, HttpVersion.Version20])
        {
            using var origin = Once(peer => peer.SendAsync(answer));
            await using var mesh = await OneService.StartAsync([origin.Port], version: version);
            using var response = await mesh.GetAsync("/");
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            var broken = await Record.ExceptionAsync(() => response.Content.ReadAsStringAsync());
            Assert.True(broken is HttpRequestException or IOException, $"{what} over HTTP/{version}: {broken}");
            var report = await mesh.Waypoint.NextReportAsync();
            Assert.StartsWith("upstream_reset_after_response_started{", report.Details, StringComparison.Ordinal);
            Assert.Contains(report.Flags, (string[])["UC", "UPE"]);
            Assert.Equal("ok", await mesh.TextAsync("/"));
        }
    }

    [Fact]
    public async Task BytesBehindTheAnswer_BelongToNobody()
    {
        using var origin = Once(async peer =>
        {
            await peer.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
            await peer.ReadUntilAsync("never");
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        for (var i = 0; i < 5; i++)
            Assert.Equal("ok", await mesh.TextAsync("/"));
    }

    [Fact]
    public async Task Reset_BeforeTheAnswer_Is503Uc_AndAResetStreamIsUr()
    {
        using var origin = Once(peer =>
        {
            peer.Reset();
            return Task.CompletedTask;
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        Assert.Equal(503, (int)(await mesh.SendAsync(HttpMethod.Post, "/", new StringContent("x"))).StatusCode);
        Assert.Equal("UC", (await mesh.Waypoint.NextReportAsync()).Flags);
        Assert.Equal("ok", await mesh.TextAsync("/"));

        using var listener = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = Task.Run(async () =>
        {
            using var server = await RawHttp2Socket.AcceptAsync(await listener.AcceptSocketAsync());
            while (await server.ReadAsync() is { } frame)
            {
                if (frame.Type == "HEADERS")
                    await server.SendResetAsync(frame.StreamId, Mesh.Http2.Http2ErrorCode.INTERNAL_ERROR);
            }
        });
        await using var two = await OneService.StartAsync([((IPEndPoint)listener.LocalEndpoint).Port], cluster: c => c.Protocol = V1.Protocol.Http2);
        Assert.Equal(503, (int)(await two.GetAsync("/")).StatusCode);
        Assert.Equal(("UR", "upstream_reset_before_response_started{remote_reset}"), await two.Waypoint.NextReportAsync() is var r ? (r.Flags, r.Details) : default);
    }

    [Fact]
    public async Task Silence_IsTheRoutesTimeout_AndOthersAreNotHeldUp()
    {
        using var origin = Once(peer => peer.ReadUntilAsync("never"));
        await using var mesh = await OneService.StartAsync([origin.Port], OneService.Route(f => f.Timeout = Duration.FromTimeSpan(TimeSpan.FromSeconds(1))));
        var stalled = mesh.GetAsync("/");
        while (origin.Connections == 0)
            await Task.Delay(5);
        Assert.Equal("ok", await mesh.TextAsync("/"));
        Assert.False(stalled.IsCompleted);
        Assert.Equal(504, (int)(await stalled).StatusCode);
        Assert.Equal("-", (await mesh.Waypoint.NextReportAsync()).Flags);
        Assert.Equal("UT", (await mesh.Waypoint.NextReportAsync()).Flags);
    }

    [Fact]
    public async Task AnswerBeforeTheRequestEnds_IsPassedOn_AndTheRestOfTheRequestIsNobodys()
    {
        using var origin = Once(async peer =>
        {
            await peer.SendAsync("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
            await peer.ReadUntilAsync("never");
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var answer = await mesh.RawAsync("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 403 No", answer, StringComparison.Ordinal);
        Assert.EndsWith("no", answer, StringComparison.Ordinal);
        Assert.Equal((403, "-"), await mesh.Waypoint.NextReportAsync() is var r ? (r.Status, r.Flags) : default);
        Assert.Equal("ok", await mesh.TextAsync("/"));
        Assert.Equal(2, origin.Connections);
    }

    [Fact]
    public async Task AnswerThatNeverEnds_FlowsUntilTheClientLeaves_AndEndsWithIt()
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var origin = Once(async peer =>
        {
            try
            {
                await peer.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                while (true)
                    await peer.SendAsync("4000\r\n" + new string('x', 0x4000) + "\r\n");
            }
            finally
            {
                ended.TrySetResult();
            }
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using (var response = await mesh.GetAsync("/"))
        {
            await using var body = await response.Content.ReadAsStreamAsync();
            await body.ReadExactlyAsync(new byte[1_000_000]);
        }

        await ended.Task.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal("ok", await mesh.TextAsync("/"));
    }

    [Fact]
    public async Task HeadersWithoutEnd_AreRefusedAtTheLimit()
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var origin = Once(async peer =>
        {
            try
            {
                await peer.SendAsync("HTTP/1.1 200 OK\r\n");
                while (true)
                    await peer.SendAsync($"X-A: {new string('x', 4000)}\r\n");
            }
            finally
            {
                ended.TrySetResult();
            }
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        Assert.Equal(502, (int)(await mesh.GetAsync("/")).StatusCode);
        Assert.Equal("UPE", (await mesh.Waypoint.NextReportAsync()).Flags);
        await ended.Task.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal("ok", await mesh.TextAsync("/"));
    }

    [Theory]
    [InlineData("a\r\nx-injected: 1")]
    [InlineData("a\nb")]
    [InlineData("a\0b")]
    public async Task Rule_ThatWritesALineIntoAHeader_IsAnErrorAndNotASecondLine(string value)
    {
        using var origin = RawOrigin.Answering(Good);
        await using var mesh = await OneService.StartAsync([origin.Port], OneService.Route(route: r => r.RequestHeaders = new V1.HeaderMutation { Set = { ["x-set"] = value } }));
        Assert.Equal(400, (int)(await mesh.GetAsync("/")).StatusCode);
        Assert.Equal("DPE", (await mesh.Waypoint.NextReportAsync()).Flags);
        Assert.Equal(0, origin.Requests);
    }

    [Theory]
    [InlineData("/a b")]
    [InlineData("/a HTTP/1.1\r\nx-injected: 1")]
    public async Task Rewrite_ThatPutsABlankIntoTheTarget_IsAnErrorAndNotAnotherRequest(string path)
    {
        using var origin = RawOrigin.Answering(Good);
        await using var mesh = await OneService.StartAsync([origin.Port], OneService.Route(f => f.Rewrite = new V1.Rewrite { Full = path }));
        Assert.Equal(400, (int)(await mesh.GetAsync("/")).StatusCode);
        Assert.Equal(0, origin.Requests);
    }
}
