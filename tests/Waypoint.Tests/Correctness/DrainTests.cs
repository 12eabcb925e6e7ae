using System.Net;
using Mesh.Testing.Http2;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.Correctness;

/// <summary>How clients are sent elsewhere (reference 7.7): told with their next answer, never by a closed connection.</summary>
public sealed class DrainTests
{
    [Fact]
    public async Task Drain_Http1_SaysCloseWithTheNextAnswer_AndServesIt()
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(mesh.Entry);
        using var peer = new RawPeer(client.Client);
        await peer.SendAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        Assert.DoesNotContain("connection: close", await peer.ReadHeadAsync(), StringComparison.OrdinalIgnoreCase);
        await peer.ReadUntilAsync("0\r\n\r\n");
        mesh.Waypoint.DataPath.BeginDrain();
        await peer.SendAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        Assert.Contains("connection: close", await peer.ReadHeadAsync(), StringComparison.OrdinalIgnoreCase);
        await peer.ReadUntilAsync("0\r\n\r\n");
        Assert.Equal(string.Empty, await peer.ReadUntilAsync("nothing follows"));

        // Who does not know yet is served, and told.
        Assert.Contains("connection: close", await mesh.RawAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Drain_Http2_SaysGoAway_AndRunningStreamsFinish()
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var arrived = new SemaphoreSlim(0);
        await using var origin = await Origin.StartAsync(async http =>
        {
            arrived.Release();
            await release.Task;
            await http.Response.WriteAsync("ok");
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "GET", "/1");
        await arrived.WaitAsync(TimeSpan.FromSeconds(20));
        mesh.Waypoint.DataPath.BeginDrain();
        await client.SendRequestAsync(3, "GET", "/2");
        var goAway = await client.GoAwayAsync();
        Assert.NotNull(goAway);
        Assert.Equal((uint)int.MaxValue, goAway.LastStreamId);
        await arrived.WaitAsync(TimeSpan.FromSeconds(20));
        release.SetResult();
        var answers = new Dictionary<uint, int>();
        WireFrame? last = null;
        while (await client.ReadAsync() is { } frame)
        {
            if (frame.Headers is { } headers)
                answers[frame.StreamId] = headers.Status;
            last = frame;
        }

        Assert.Equal(new Dictionary<uint, int> { [1] = 200, [3] = 200 }, answers);
        Assert.Equal(("GOAWAY", 3u), (last!.Type, last.LastStreamId));
    }

    [Fact]
    public async Task Stop_WaitsForTheRunningRequest()
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var origin = await Origin.StartAsync(async http =>
        {
            arrived.TrySetResult();
            await release.Task;
            await http.Response.WriteAsync("whole");
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var answer = mesh.TextAsync("/");
        await arrived.Task.WaitAsync(TimeSpan.FromSeconds(20));
        var stopped = mesh.Waypoint.DataPath.StopAsync(CancellationToken.None);
        Assert.False(stopped.IsCompleted);
        release.SetResult();
        Assert.Equal("whole", await answer);
        await stopped.WaitAsync(TimeSpan.FromSeconds(20));
    }
}
