using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.Transport;

/// <summary>Waypoints as processes that come and go. Clients repeat nothing: what is not answered is lost.</summary>
public sealed class RollingRestartTests
{
    // Longer than any pause of a busy machine: a client that says nothing for as long meets a closed connection, as it may.
    private static readonly (string, string)[] QuickDrain = [("TERMINATION_DRAIN_DURATION", "6s"), ("TERMINATION_STREAM_DURATION", "30s")];

    [Fact]
    public async Task Waypoints_RestartedOneAfterTheOther_UnderLoad_LoseNoRequest()
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var world = await ProcessWorld.StartAsync(origin.Port);
        var (one, onePort, _) = await world.StartWaypointAsync(QuickDrain);
        var (two, twoPort, _) = await world.StartWaypointAsync(QuickDrain);
        await using var first = one;
        await using var second = two;
        await Task.WhenAll(ProcessWorld.ReadyAsync(first), ProcessWorld.ReadyAsync(second));

        // What a client's node knows to be there; it hears of a leaving one some time after that has been told to go.
        var known = new[] { onePort, twoPort };
        var lost = new ConcurrentQueue<string>();
        var served = 0;
        using var end = new CancellationTokenSource();
        var clients = Enumerable.Range(0, 6).Select(i => Task.Run(() => ClientAsync(i))).ToArray();
        await ProgressAsync();

        await ReplaceAsync(first, twoPort);
        var (three, threePort, _) = await world.StartWaypointAsync(QuickDrain);
        await using var third = three;
        await ProcessWorld.ReadyAsync(third);
        Volatile.Write(ref known, [threePort, twoPort]);
        await ProgressAsync();
        await ReplaceAsync(second, threePort);
        await ProgressAsync();

        await end.CancelAsync();
        await Task.WhenAll(clients).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.True(lost.IsEmpty, $"{lost.Count} lost of {served}: {string.Join("; ", lost.Take(5))}");
        return;

        async Task ReplaceAsync(MeshProcess leaving, int staying)
        {
            leaving.Terminate();
            await leaving.LineAsync("(draining)");
            await ProgressAsync();
            Volatile.Write(ref known, [staying]);
            Assert.Equal(0, await leaving.ExitAsync());
            await ProgressAsync();
        }

        async Task ProgressAsync()
        {
            var target = Volatile.Read(ref served) + 60;
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            while (Volatile.Read(ref served) < target && lost.IsEmpty)
                await Task.Delay(2, patience.Token);
        }

        async Task ClientAsync(int number)
        {
            for (var turn = number; !end.IsCancellationRequested; turn++)
            {
                var there = Volatile.Read(ref known);
                await using var tunnel = await world.TunnelAsync(there[turn % there.Length]);
                if (tunnel is null)
                {
                    lost.Enqueue("the tunnel was refused");
                    return;
                }

                // One connection until it is told to close.
                for (var close = false; !close && !end.IsCancellationRequested;)
                {
                    var (head, error) = await RequestAsync(tunnel);
                    if (!head.StartsWith("HTTP/1.1 200", StringComparison.Ordinal))
                    {
                        lost.Enqueue($"\"{head}\" {error}");
                        return;
                    }

                    Interlocked.Increment(ref served);
                    close = head.Contains("connection: close", StringComparison.OrdinalIgnoreCase);
                }
            }
        }
    }

    [Fact]
    public async Task Waypoint_ThatLeaves_WaitsForItsOpenStreams()
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var origin = await Origin.StartAsync(async http =>
        {
            await http.Response.WriteAsync("begin");
            await http.Response.Body.FlushAsync();
            await release.Task;
            await http.Response.WriteAsync("end");
        });
        await using var world = await ProcessWorld.StartAsync(origin.Port);
        var (process, port, ready) = await world.StartWaypointAsync([("TERMINATION_DRAIN_DURATION", "100ms"), ("TERMINATION_STREAM_DURATION", "60s")]);
        await using var waypoint = process;

        // Ready is said only after configuration, certificate and listener.
        await ProcessWorld.ReadyAsync(waypoint);
        using var http = new HttpClient();
        Assert.Equal("ready\n", await http.GetStringAsync($"http://127.0.0.1:{ready}/healthz/ready"));
        Assert.Matches("(?s)Task 'configuration' complete.*Task 'hbone listener' complete .*, marking server ready", waypoint.Output);

        using var client = new HttpClient(new SocketsHttpHandler { ConnectCallback = async (_, _) => await world.TunnelAsync(port) ?? throw new IOException("refused") }) { BaseAddress = new Uri("http://orders.shop") };
        using var response = await client.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);
        waypoint.Terminate();
        await waypoint.LineAsync("(waiting for open streams)");
        release.SetResult();
        Assert.Equal("beginend", await response.Content.ReadAsStringAsync());
        Assert.Equal(0, await waypoint.ExitAsync());
    }

    [Fact]
    public async Task Waypoint_WithoutItsConfiguration_IsNotReady()
    {
        await using var world = await ProcessWorld.StartAsync(1);
        var (process, port, ready) = await world.StartWaypointAsync([("XDS_ADDRESS", "https://127.0.0.1:1")]);
        await using var waypoint = process;
        await waypoint.LineAsync("(waypoint starts)");
        using var http = new HttpClient();
        using var answer = await http.GetAsync($"http://127.0.0.1:{ready}/healthz/ready");
        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        Assert.Contains("pending: certificate, configuration, hbone listener", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Null(await world.TunnelAsync(port));
        waypoint.Terminate();
        Assert.Equal(0, await waypoint.ExitAsync());
    }

    private static async Task<(string Head, string? Error)> RequestAsync(Stream tunnel)
    {
        var text = new StringBuilder();
        try
        {
            await tunnel.WriteAsync("GET / HTTP/1.1\r\nHost: orders.shop\r\n\r\n"u8.ToArray());
            await tunnel.FlushAsync();
            var buffer = new byte[4096];

            // Chunked, since the application says no length: "0\r\n\r\n" ends it.
            while (!text.ToString().EndsWith("0\r\n\r\n", StringComparison.Ordinal))
            {
                var count = await tunnel.ReadAsync(buffer);
                if (count == 0)
                    return (text.ToString(), "ended");
                text.Append(Encoding.Latin1.GetString(buffer, 0, count));
            }

            return (text.ToString(), null);
        }
        catch (IOException e)
        {
            return (string.Empty, e.Message);
        }
    }
}
