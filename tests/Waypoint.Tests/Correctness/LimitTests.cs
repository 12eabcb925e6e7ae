using System.Net;
using System.Net.Sockets;
using System.Text;
using Mesh.Http2;
using Mesh.Runtime;
using Mesh.Testing.Http2;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.Correctness;

/// <summary>Each limit of reference 7.3: its default, that it can be set, and both sides of its boundary.</summary>
public sealed class LimitTests
{
    private static WaypointLimits Read(params (string Name, string Value)[] values)
    {
        var environment = new EnvironmentSettings(values.ToDictionary(v => v.Name, v => v.Value, StringComparer.Ordinal));
        var limits = WaypointLimits.Read(environment);
        environment.ThrowIfInvalid();
        return limits;
    }

    [Fact]
    public void Settings_Unset_AreTheDefaultsOfTheTable()
    {
        var limits = Read();
        Assert.Equal(WaypointLimits.Default, limits);
        Assert.Equal((60 * 1024, 100, 1024, 100, 1024 * 1024), (limits.MaxRequestHeaderBytes, limits.MaxRequestHeaders, limits.MaxConcurrentStreams, limits.MaxTunnels, limits.ConnectionBuffer));
        Assert.Equal((TimeSpan.FromHours(1), TimeSpan.FromHours(1)), (limits.IdleTimeout, limits.TcpIdleTimeout));
        Assert.All(
            (TimeSpan[])[limits.RequestHeadersTimeout, limits.RequestTimeout, limits.StreamIdleTimeout, limits.MaxStreamDuration, limits.MaxTunnelAge],
            off => Assert.Equal(TimeSpan.Zero, off));
        Assert.Equal(100, limits.Hbone.Server.MaxConcurrentStreams);
    }

    [Fact]
    public void Settings_EachOfThem_IsRead()
    {
        var limits = Read(
            ("MAX_REQUEST_HEADERS_BYTES", "2048"), ("MAX_REQUEST_HEADERS_COUNT", "10"), ("MAX_CONCURRENT_STREAMS", "7"), ("HBONE_MAX_CONCURRENT_STREAMS", "8"),
            ("CONNECTION_BUFFER_LIMIT_BYTES", "131072"), ("INITIAL_STREAM_WINDOW_BYTES", "65536"), ("INITIAL_CONNECTION_WINDOW_BYTES", "131072"),
            ("REQUEST_HEADERS_TIMEOUT", "1s"), ("REQUEST_TIMEOUT", "2s"), ("STREAM_IDLE_TIMEOUT", "3s"), ("MAX_STREAM_DURATION", "4s"),
            ("DOWNSTREAM_IDLE_TIMEOUT", "5s"), ("TCP_IDLE_TIMEOUT", "6s"), ("HBONE_MAX_CONNECTION_AGE", "7m"));
        Assert.Equal(
            new WaypointLimits
            {
                MaxRequestHeaderBytes = 2048, MaxRequestHeaders = 10, MaxConcurrentStreams = 7, MaxTunnels = 8, ConnectionBuffer = 131072, StreamWindow = 65536,
                ConnectionWindow = 131072, RequestHeadersTimeout = TimeSpan.FromSeconds(1), RequestTimeout = TimeSpan.FromSeconds(2),
                StreamIdleTimeout = TimeSpan.FromSeconds(3), MaxStreamDuration = TimeSpan.FromSeconds(4), IdleTimeout = TimeSpan.FromSeconds(5),
                TcpIdleTimeout = TimeSpan.FromSeconds(6), MaxTunnelAge = TimeSpan.FromMinutes(7),
            },
            limits);
        Assert.Equal((8, TimeSpan.FromMinutes(7)), (limits.Hbone.Server.MaxConcurrentStreams, limits.Hbone.MaxConnectionAge));
    }

    [Fact]
    public void Settings_OutOfRange_AreRefusedByName() =>
        Assert.Contains("MAX_REQUEST_HEADERS_BYTES", Assert.Throws<SettingsException>(() => Read(("MAX_REQUEST_HEADERS_BYTES", "1"))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(60 * 1024, 59 * 1024, 200)]
    [InlineData(60 * 1024, 66 * 1024, 431)]
    [InlineData(4096, 3900, 200)]
    [InlineData(4096, 4400, 431)]
    public async Task RequestHeaders_UpToTheLimitInBytes(int limit, int size, int status)
    {
        await using var origin = await RawEchoAsync();
        await using var mesh = await OneService.StartAsync([origin.Port], limits: WaypointLimits.Default with { MaxRequestHeaderBytes = limit });
        var answer = await mesh.RawAsync($"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{Fields(size)}\r\n");
        Assert.StartsWith($"HTTP/1.1 {status}", answer, StringComparison.Ordinal);

        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "GET", "/", true, [.. Enumerable.Range(0, size / 1000).Select(i => ($"x-{i:00}", new string('a', 960))), ("x-l", new string('b', size % 1000))]);
        var two = await client.ResponseAsync(1);
        Assert.True(status == 200 ? two.Status == 200 : two.Reset is not null || two.Status == 431, $"{two.Status} {two.Reset}");
        Assert.Equal("ok", await mesh.TextAsync("/"));
    }

    [Theory]
    [InlineData(100, 100, 200)]
    [InlineData(100, 101, 431)]
    [InlineData(10, 10, 200)]
    [InlineData(10, 11, 431)]
    public async Task RequestHeaders_UpToTheLimitInNumber(int limit, int count, int status)
    {
        await using var origin = await RawEchoAsync();
        await using var mesh = await OneService.StartAsync([origin.Port], limits: WaypointLimits.Default with { MaxRequestHeaders = limit });
        var fields = string.Concat(Enumerable.Range(0, count - 2).Select(i => $"X-{i}: 1\r\n"));
        Assert.StartsWith($"HTTP/1.1 {status}", await mesh.RawAsync($"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1024)]
    [InlineData(3)]
    public async Task Http2_AnnouncesItsLimits_AndRefusesStreamsAboveThem(int streams)
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var origin = await Origin.StartAsync(_ => release.Task);
        await using var mesh = await OneService.StartAsync([origin.Port], limits: WaypointLimits.Default with { MaxConcurrentStreams = streams, StreamWindow = 70_000 });
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        for (var i = 0; i <= (streams == 3 ? streams : 0); i++)
            await client.SendRequestAsync((uint)((i * 2) + 1), "GET", "/");
        if (streams == 3)
            Assert.Equal(Http2ErrorCode.REFUSED_STREAM, (await client.ResponseAsync(7)).Reset);
        release.SetResult();
        Assert.Equal(200, (await client.ResponseAsync(1)).Status);
        Assert.Contains($"MAX_CONCURRENT_STREAMS={streams}", client.PeerSettings);
        Assert.Contains("INITIAL_WINDOW_SIZE=70000", client.PeerSettings);
        Assert.DoesNotContain(client.PeerSettings, s => s.StartsWith("HEADER_TABLE_SIZE=", StringComparison.Ordinal) && s != "HEADER_TABLE_SIZE=4096");
    }

    [Theory]
    [InlineData(79 * 1024, 50, 200)]
    [InlineData(84 * 1024, 50, 502)]
    [InlineData(1000, 100, 200)]
    [InlineData(1000, 101, 502)]
    public async Task ResponseHeaders_UpToTheLimits(int size, int count, int status)
    {
        var fields = string.Concat(Enumerable.Range(0, count - 1).Select(i => $"x-{i:000}: {new string('a', Math.Max(1, (size / count) - 9))}\r\n"));
        using var origin = RawOrigin.Answering($"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{fields}\r\n");
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var answer = await mesh.RawAsync("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.StartsWith($"HTTP/1.1 {status}", answer, StringComparison.Ordinal);
        Assert.Equal(status == 200 ? "-" : "UPE", (await mesh.Waypoint.NextReportAsync()).Flags);
    }

    [Fact]
    public async Task Client_ThatDoesNotRead_HoldsTheApplicationBack()
    {
        const long Size = 256L * 1024 * 1024;
        long sent = 0;
        var progress = new SemaphoreSlim(0);
        await using var origin = await Origin.StartAsync(async http =>
        {
            http.Response.ContentLength = Size;
            var piece = new byte[64 * 1024];
            while (sent < Size)
            {
                await http.Response.Body.WriteAsync(piece, http.RequestAborted);
                Interlocked.Add(ref sent, piece.Length);
                progress.Release();
            }
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 64 * 1024 };
        await client.ConnectAsync(mesh.Entry);
        await client.SendAsync(Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));

        // Until nothing moves any more.
        while (await progress.WaitAsync(TimeSpan.FromMilliseconds(500)))
        {
        }

        Assert.InRange(Interlocked.Read(ref sent), 0, Size / 4);
    }

    private static Task<Origin> RawEchoAsync() => Origin.StartAsync(
        http => http.Response.WriteAsync("ok"),
        configure: limits => (limits.MaxRequestHeadersTotalSize, limits.MaxRequestHeaderCount) = (1024 * 1024, 1000));

    private static string Fields(int size)
    {
        var text = new StringBuilder();
        for (var i = 0; text.Length < size - 50; i++)
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"X-{i:00}: {new string('a', Math.Min(1000, size - 50 - text.Length))}\r\n");
        return text.ToString();
    }
}
