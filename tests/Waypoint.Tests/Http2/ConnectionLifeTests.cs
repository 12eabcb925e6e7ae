using System.Net.Sockets;
using Google.Protobuf.WellKnownTypes;
using Mesh.Http2;
using Mesh.Testing;
using Mesh.Testing.Http2;
using Mesh.Waypoint.Http2;
using Mesh.Waypoint.Tests.Harness;

namespace Mesh.Waypoint.Tests.Http2;

/// <summary>How long connections to HTTP/2 applications live, and which streams they carry.</summary>
public sealed class ConnectionLifeTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static Task<OneService> StartAsync(RawHttp2Origin origin, Action<V1.ConnectionPool>? pool = null, TestWaypoint? waypoint = null) => OneService.StartAsync(
        [origin.Port],
        OneService.Route(f => f.Retry = new V1.RetryPolicy()),
        c =>
        {
            c.Protocol = V1.Protocol.Http2;
            c.ConnectionPool = new V1.ConnectionPool();
            pool?.Invoke(c.ConnectionPool);
        },
        waypoint: waypoint);

    /// <summary>Answers every request with its connection's number until GOAWAY or the end.</summary>
    private static RawHttp2Origin Answering(SemaphoreSlim ended) => new(async (server, connection) =>
    {
        while (await server.ReadAsync() is { } frame)
        {
            if (frame.Headers is not null)
                await RawHttp2Origin.AnswerAsync(server, frame.StreamId, $"{connection}");
            else if (frame is { Type: "GOAWAY", ErrorCode: Http2ErrorCode.NO_ERROR })
                ended.Release();
        }
    });

    [Fact]
    public async Task Settings_ThatComeLate_HoldAllButOneRequestBack_AndThoseWhoseClientLeftAreNeverSent()
    {
        var first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var settle = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var paths = new List<string?>();
        using var origin = new RawHttp2Origin(
            async (server, _) =>
            {
                var request = await RawHttp2Origin.RequestAsync(server);
                first.SetResult();
                await settle.Task;
                await server.SendSettingsAsync(maxConcurrentStreams: 100);
                paths.Add(request.Headers!.Path);
                await RawHttp2Origin.AnswerAsync(server, request.StreamId, "ok");
                var next = await RawHttp2Origin.RequestAsync(server);
                paths.Add(next.Headers!.Path);
                await RawHttp2Origin.AnswerAsync(server, next.StreamId, "ok");
            },
            sendsSettings: false);
        await using var mesh = await StartAsync(origin);
        var one = mesh.TextAsync("/1");
        await first.Task.WaitAsync(Patience);
        using (var client = new TcpClient())
        {
            await client.ConnectAsync(mesh.Entry);
            await client.GetStream().WriteAsync("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray());

            // What comes after it has been answered.
            for (var i = 0; i < 3; i++)
                await mesh.RawAsync("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n");
        }

        Assert.Equal("DC", await FlagsAsync(mesh));
        settle.SetResult();
        Assert.Equal("ok", await one);
        Assert.Equal("ok", await mesh.TextAsync("/3"));
        Assert.Equal(["/1", "/3"], paths);
    }

    // Of the next request that reached an application.
    private static async Task<string> FlagsAsync(OneService mesh)
    {
        while (true)
        {
            var report = await mesh.Waypoint.NextReportAsync();
            if (report.Attempts > 0)
                return report.Flags;
        }
    }

    [Fact]
    public async Task StreamLimit_ThatIsRaisedAndLowered_CountsFromThen()
    {
        var both = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var waiting = 0;
        using var origin = new RawHttp2Origin(
            async (server, connection) =>
            {
                if (connection == 1)
                {
                    // One at a time, then two.
                    var only = await RawHttp2Origin.RequestAsync(server);
                    await server.SendSettingsAsync(maxConcurrentStreams: 2);
                    await RawHttp2Origin.AnswerAsync(server, only.StreamId, "one");
                    var pair = new[] { await RawHttp2Origin.RequestAsync(server), await RawHttp2Origin.RequestAsync(server) };
                    await server.SendSettingsAsync(maxConcurrentStreams: 1);
                    foreach (var request in pair)
                        await RawHttp2Origin.AnswerAsync(server, request.StreamId, "two");
                }

                // Each of the last two is answered when both are there.
                var last = await RawHttp2Origin.RequestAsync(server);
                if (Interlocked.Increment(ref waiting) == 2)
                    both.SetResult();
                await both.Task;
                await RawHttp2Origin.AnswerAsync(server, last.StreamId, $"on {connection}");
            },
            maxConcurrentStreams: 1);
        await using var mesh = await StartAsync(origin);
        Assert.Equal("one", await mesh.TextAsync("/"));
        Assert.Equal(["two", "two"], await Task.WhenAll(mesh.TextAsync("/"), mesh.TextAsync("/")).WaitAsync(Patience));
        Assert.Equal(1, origin.Connections);
        Assert.Equal(["on 1", "on 2"], (await Task.WhenAll(mesh.TextAsync("/"), mesh.TextAsync("/")).WaitAsync(Patience)).Order());
    }

    [Fact]
    public async Task BodyThatBreaksOff_ResetsItsStream_AndTheConnectionGoesOn()
    {
        var reset = new TaskCompletionSource<Http2ErrorCode>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var origin = new RawHttp2Origin(async (server, _) =>
        {
            await RawHttp2Origin.RequestAsync(server);
            reset.SetResult((await RawHttp2Origin.FrameAsync(server, "RST_STREAM")).ErrorCode);
            await RawHttp2Origin.AnswerAsync(server, (await RawHttp2Origin.RequestAsync(server)).StreamId, "ok");
        });
        await using var mesh = await StartAsync(origin);
        Assert.StartsWith("HTTP/1.1 400", await mesh.RawAsync("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\nzz\r\n"), StringComparison.Ordinal);
        Assert.Equal(Http2ErrorCode.CANCEL, await reset.Task.WaitAsync(Patience));
        Assert.Equal("DPE", (await mesh.Waypoint.NextReportAsync()).Flags);
        Assert.Equal("ok", await mesh.TextAsync("/"));
        Assert.Equal(1, origin.Connections);
    }

    [Fact]
    public async Task Connection_ThatIsRetired_EndsBehindItsLastAnswer()
    {
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var goAway = new TaskCompletionSource<Http2ErrorCode>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var origin = new RawHttp2Origin(async (server, connection) =>
        {
            var request = await RawHttp2Origin.RequestAsync(server);
            if (connection == 1)
            {
                arrived.SetResult();
                await answer.Task;
            }

            await RawHttp2Origin.AnswerAsync(server, request.StreamId, $"{connection}");
            if (connection == 1)
                goAway.SetResult((await RawHttp2Origin.FrameAsync(server, "GOAWAY")).ErrorCode);
        });
        await using var mesh = await StartAsync(origin);
        var running = mesh.TextAsync("/");
        await arrived.Task.WaitAsync(Patience);
        mesh.Apply([origin.Port], cluster: c => (c.Protocol, c.ConnectionPool) = (V1.Protocol.Http2, new V1.ConnectionPool { MaxRequestsPerConnection = 5 }));
        Assert.Equal("2", await mesh.TextAsync("/").WaitAsync(Patience));
        answer.SetResult();
        Assert.Equal("1", await running.WaitAsync(Patience));
        Assert.Equal(Http2ErrorCode.NO_ERROR, await goAway.Task.WaitAsync(Patience));
    }

    [Fact]
    public async Task Connection_ThatHasCarriedAllItMay_OrIsTooOld_Ends()
    {
        using var ended = new SemaphoreSlim(0);
        using var origin = Answering(ended);
        var time = new ManualTimeProvider();
        await using var mesh = await StartAsync(origin, p => (p.MaxRequestsPerConnection, p.MaxConnectionDuration) = (2, Duration.FromTimeSpan(TimeSpan.FromMinutes(1))), new TestWaypoint(time: time));
        Assert.Equal("1", await mesh.TextAsync("/"));
        Assert.Equal("1", await mesh.TextAsync("/"));
        Assert.True(await ended.WaitAsync(Patience), "it has carried all that it may");
        Assert.Equal("2", await mesh.TextAsync("/"));
        time.Advance(TimeSpan.FromSeconds(61));
        Assert.True(await ended.WaitAsync(Patience), "it is too old");
        Assert.Equal("3", await mesh.TextAsync("/"));
    }

    [Fact]
    public async Task FramesThatMeanNothing_WithinAnAnswer_AreIgnored()
    {
        using var origin = new RawHttp2Origin(async (server, _) =>
        {
            var stream = (await RawHttp2Origin.RequestAsync(server)).StreamId;
            await server.SendFrameAsync("PRIORITY", 0, stream, new byte[5]);
            await server.SendHeadersAsync(stream, false, (":status", "200"));
            await server.SendRawAsync((byte[])[0, 0, 2, 0xEE, 0xFF, 0, 0, 0, (byte)stream, 1, 2]);
            await server.SendFrameAsync("PING", 0, 0, new byte[8]);
            await server.SendDataAsync(stream, "ok", endStream: true);
        });
        await using var mesh = await StartAsync(origin);
        Assert.Equal("ok", await mesh.TextAsync("/"));
        Assert.Equal("-", (await mesh.Waypoint.NextReportAsync()).Flags);
    }

    [Fact]
    public async Task Places_AreNeverMoreThanTheRequestsThatAConnectionMayCarry()
    {
        for (var round = 0; round < 200; round++)
        {
            var connection = new Http2ClientConnection(null, mostRequests: 3, capacity: 100, TimeProvider.System) { OnRoom = _ => { }, OnEnd = _ => { } };
            using var start = new Barrier(4);
            var places = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
            {
                start.SignalAndWait();
                return (connection.TryReserve() ? 1 : 0) + (connection.TryReserve() ? 1 : 0);
            })));
            Assert.Equal(3, places.Sum());
        }
    }
}
