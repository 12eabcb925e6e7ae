using System.Net.Sockets;
using System.Text;
using Mesh.Http2;
using Mesh.Testing.Http2;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mesh.Waypoint.Tests.Correctness;

/// <summary>A client that leaves in the middle of an answer is DC, whichever side of the waypoint notices it first; an application that breaks is not.</summary>
public sealed class ClientLeavesTests
{
    // Which side notices first is chance: enough rounds to meet both.
    private const int Rounds = 40;

    /// <summary>Sends until it is told to stop: in a stream without pauses, or piece by piece.</summary>
    private static async Task SendForEverAsync(HttpContext http)
    {
        var piece = new byte[http.Request.Path == "/pieces" ? 10 : 64 * 1024];
        while (!http.RequestAborted.IsCancellationRequested)
        {
            await http.Response.Body.WriteAsync(piece, http.RequestAborted);
            if (piece.Length == 10)
                await Task.Yield();
        }
    }

    [Theory]
    [InlineData(HttpProtocols.Http1, "/stream")]
    [InlineData(HttpProtocols.Http1, "/pieces")]
    [InlineData(HttpProtocols.Http2, "/stream")]
    [InlineData(HttpProtocols.Http2, "/pieces")]
    public async Task Http1Client_LeavesWhileTheApplicationSends_IsDc(HttpProtocols application, string path)
    {
        await using var origin = await Origin.StartAsync(SendForEverAsync, application);
        await using var mesh = await StartAsync(origin, application);
        for (var i = 0; i < Rounds; i++)
        {
            using (var client = new TcpClient())
            {
                await client.ConnectAsync(mesh.Entry);
                await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
                await client.GetStream().ReadExactlyAsync(new byte[500]).AsTask().WaitAsync(TimeSpan.FromSeconds(20));
            }

            await AssertDcAsync(mesh);
        }
    }

    [Theory]
    [InlineData(HttpProtocols.Http1, "/stream", true)]
    [InlineData(HttpProtocols.Http1, "/pieces", true)]
    [InlineData(HttpProtocols.Http2, "/stream", true)]
    [InlineData(HttpProtocols.Http2, "/pieces", true)]
    [InlineData(HttpProtocols.Http1, "/pieces", false)]
    [InlineData(HttpProtocols.Http2, "/stream", false)]
    public async Task Http2Client_LeavesWhileTheApplicationSends_IsDc(HttpProtocols application, string path, bool byReset)
    {
        await using var origin = await Origin.StartAsync(SendForEverAsync, application);
        await using var mesh = await StartAsync(origin, application);
        for (var i = 0; i < Rounds; i++)
        {
            if (byReset)
            {
                await ResetAsync(mesh, path);
                continue;
            }

            using (await BeginAsync(mesh, path))
            {
            }

            await AssertDcAsync(mesh);
        }
    }

    [Fact]
    public async Task ClientLeaves_TheApplicationIsNotBlamed()
    {
        await using var origin = await Origin.StartAsync(SendForEverAsync);
        await using var mesh = await OneService.StartAsync(
            [origin.Port],
            cluster: c => c.OutlierDetection = new V1.OutlierDetection { Consecutive5Xx = 1, MaxEjectionPercent = 100 });
        for (var i = 0; i < Rounds; i++)
            await ResetAsync(mesh, "/stream");
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task ApplicationBreaks_WhileTheClientWaits_IsItsOwnFlag(string version)
    {
        await using var origin = await Origin.StartAsync(
            async http =>
            {
                await http.Response.Body.WriteAsync(new byte[1000]);
                await http.Response.Body.FlushAsync();
                http.Abort();
            },
            HttpProtocols.Http2);
        await using var mesh = await OneService.StartAsync([origin.Port], cluster: c => c.Protocol = V1.Protocol.Http2, version: Version.Parse(version));
        using var response = await mesh.GetAsync("/");
        Assert.NotNull(await Record.ExceptionAsync(() => response.Content.ReadAsByteArrayAsync()));
        var report = await mesh.Waypoint.NextReportAsync();
        Assert.Equal(("UR", "upstream_reset_after_response_started{remote_reset}"), (report.Flags, report.Details));
    }

    private static Task<OneService> StartAsync(Origin origin, HttpProtocols application) =>
        OneService.StartAsync([origin.Port], cluster: c => c.Protocol = application == HttpProtocols.Http2 ? V1.Protocol.Http2 : V1.Protocol.Http1);

    /// <returns>A client whose answer has begun.</returns>
    private static async Task<RawHttp2Socket> BeginAsync(OneService mesh, string path)
    {
        var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "GET", path);
        while (await client.ReadAsync() is { Type: not "DATA" })
        {
        }

        return client;
    }

    private static async Task ResetAsync(OneService mesh, string path)
    {
        using var client = await BeginAsync(mesh, path);
        await client.SendResetAsync(1, Http2ErrorCode.CANCEL);
        await AssertDcAsync(mesh);
    }

    private static async Task AssertDcAsync(OneService mesh)
    {
        var report = await mesh.Waypoint.NextReportAsync();
        Assert.Equal(("DC", "downstream_remote_disconnect"), (report.Flags, report.Details));
    }
}
