using System.Net;
using System.Net.Sockets;
using System.Text;
using Google.Protobuf.WellKnownTypes;
using Mesh.Testing;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.Correctness;

/// <summary>What of a request's body a retry can send again (reference 7.8).</summary>
public sealed class RetryBodyTests
{
    private const int Limit = 1024 * 1024;

    private static Action<V1.ServicePort> Retrying(uint attempts = 2, TimeSpan? backoff = null) => OneService.Route(f => f.Retry = new V1.RetryPolicy
    {
        Attempts = attempts,
        RetryOn = { "5xx" },
        BackoffBase = Duration.FromTimeSpan(backoff ?? TimeSpan.FromMilliseconds(1)),
    });

    private static async Task<(Origin Origin, Func<int> Tries)> FailingOnceAsync()
    {
        var tries = 0;
        var origin = await Origin.StartAsync(async http =>
        {
            var length = 0L;
            var buffer = new byte[64 * 1024];
            while (await http.Request.Body.ReadAsync(buffer) is > 0 and var count)
                length += count;
            http.Response.StatusCode = Interlocked.Increment(ref tries) == 1 ? 503 : 200;
            await http.Response.WriteAsync(length.ToString(System.Globalization.CultureInfo.InvariantCulture));
        });
        return (origin, () => tries);
    }

    [Theory]
    [InlineData(Limit, Limit, 200, 2)]
    [InlineData(Limit, Limit + 1, 503, 1)]
    [InlineData(128 * 1024, 128 * 1024, 200, 2)]
    [InlineData(128 * 1024, (128 * 1024) + 1, 503, 1)]
    public async Task Body_UpToTheBufferLimit_IsSentAgain_AndALongerOneIsSentOnce(int limit, int length, int status, int tries)
    {
        var (origin, count) = await FailingOnceAsync();
        await using var _ = origin;
        await using var mesh = await OneService.StartAsync([origin.Port], Retrying(), limits: WaypointLimits.Default with { ConnectionBuffer = limit });
        using var response = await mesh.SendAsync(HttpMethod.Post, "/", new ByteArrayContent(new byte[length]));
        Assert.Equal((status, $"{length}", tries), ((int)response.StatusCode, await response.Content.ReadAsStringAsync(), count()));
    }

    [Fact]
    public async Task Post_IsRetriedAsAnyMethod_WhenNothingReachedTheApplication()
    {
        await using var good = await Origin.StartAsync(http => http.Request.Body.CopyToAsync(http.Response.Body));
        await using var mesh = await OneService.StartAsync([Ports.Unused(), good.Port]);
        for (var i = 0; i < 20; i++)
            Assert.Equal("body", await (await mesh.SendAsync(HttpMethod.Post, "/", new StringContent("body"))).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Answer_ThatHasBegun_IsNotRetried()
    {
        using var cut = new RawOrigin(async peer =>
        {
            await peer.ReadHeadAsync();
            await peer.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        });
        await using var mesh = await OneService.StartAsync([cut.Port], Retrying());
        using var response = await mesh.GetAsync("/");
        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsStringAsync());
        Assert.Equal(1, cut.Connections);
        Assert.Equal(1, (await mesh.Waypoint.NextReportAsync()).Attempts);
    }

    [Fact]
    public async Task WebSocket_ThatIsRefused_IsNotRetried()
    {
        using var refusing = RawOrigin.Answering("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy");
        await using (var mesh = await OneService.StartAsync([refusing.Port], Retrying()))
        {
            var answer = await mesh.RawAsync("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            Assert.StartsWith("HTTP/1.1 503 Busy", answer, StringComparison.Ordinal);
            Assert.Equal(1, (await mesh.Waypoint.NextReportAsync()).Attempts);
        }
    }
}
