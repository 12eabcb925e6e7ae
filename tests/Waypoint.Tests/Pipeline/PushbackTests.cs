using System.Text;
using Mesh.Runtime.Metrics;
using Mesh.Waypoint.Telemetry;
using Mesh.Waypoint.Tests.Harness;

namespace Mesh.Waypoint.Tests.Pipeline;

/// <summary>Rate-limited answers through the whole data path.</summary>
public sealed class PushbackTests
{
    public static TheoryData<string> Limited => new(
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 25\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\ngrpc-status: 8\r\ngrpc-retry-pushback-ms: 25000\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\ngrpc-status: 8\r\ngrpc-retry-pushback-ms: 25000\r\n\r\n");

    [Theory]
    [MemberData(nameof(Limited))]
    public async Task RateLimitedEndpoint_IsLeftAlone_AndTheRecordAndAMetricSaySo(string answer)
    {
        var answers = 0;
        using var limited = new RawOrigin(async peer =>
        {
            while (await peer.ReadHeadAsync() is { Length: > 0 })
            {
                Interlocked.Increment(ref answers);
                await peer.SendAsync(answer);
            }
        });
        await using var other = await Origin.TextAsync("other");
        await using var mesh = await OneService.StartAsync([limited.Port, other.Port]);

        // Chance decides when it is asked for the first time; after that, never again while its time lasts.
        for (var i = 0; i < 60; i++)
        {
            await mesh.TextAsync("/");
            await mesh.Waypoint.NextReportAsync();
        }

        Assert.Equal(1, answers);
        Assert.Equal(59, other.Count);
        var said = mesh.Waypoint.Decisions.Ring.Newest().SelectMany(d => d.Steps).ToList();
        Assert.Equal($"try 1: 127.0.0.1:{limited.Port} is rate-limited: less preferred for 25 s", Assert.Single(said));
        var registry = new MetricRegistry();
        _ = new WaypointMetrics(registry, mesh.Waypoint.Configuration.Clusters);
        Assert.Contains("mesh_waypoint_pushbacks_total{cluster=\"shop/orders|80|\"} 1", Encoding.UTF8.GetString(registry.Render().Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RetryOf429_GoesToTheOther_AndTheLimitedOneIsSparedAfterwards()
    {
        await using var limited = await Origin.StartAsync(http =>
        {
            http.Response.StatusCode = 429;
            http.Response.Headers.RetryAfter = "25";
            return Task.CompletedTask;
        });
        await using var other = await Origin.TextAsync("other");
        var retry = new V1.RetryPolicy { Attempts = 1, RetryOn = { "retriable-status-codes" }, RetriableStatusCodes = { 429 }, RetryIgnorePreviousHosts = true };
        await using var mesh = await OneService.StartAsync([limited.Port, other.Port], OneService.Route(f => f.Retry = retry));
        for (var i = 0; i < 40; i++)
            Assert.Equal("other", await mesh.TextAsync("/"));
        Assert.Equal(1, limited.Count);
    }
}
