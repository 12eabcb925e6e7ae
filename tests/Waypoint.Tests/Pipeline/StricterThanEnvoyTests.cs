using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.Pipeline;

/// <summary>Where a waypoint deliberately does not do what Envoy's was recorded to do: a line of the compatibility page each.</summary>
public sealed class StricterThanEnvoyTests : IAsyncLifetime
{
    private Origin _origin = null!;

    public async Task InitializeAsync() => _origin = await Origin.StartAsync(http => http.Response.WriteAsync(
        string.Join('\n', http.Request.Headers.Select(h => $"{h.Key.ToLowerInvariant()}: {h.Value}"))));

    public async Task DisposeAsync() => await _origin.DisposeAsync();

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\nConnection: close\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nConnection: close\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n folded\r\nConnection: close\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\rX-B: 2\r\nConnection: close\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\rConnection: close\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\nHost: a\nConnection: close\n\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\nX-A: 1\r\nConnection: close\r\n\r\n")]
    public async Task Request_WithMoreThanOneReading_Is400AndReachesNobody(string raw)
    {
        await using var mesh = await OneService.StartAsync([_origin.Port]);
        Assert.StartsWith("HTTP/1.1 400", await mesh.RawAsync(raw), StringComparison.Ordinal);
        Assert.Equal(0, _origin.Count);
    }

    [Fact]
    public async Task HeadersThatConnectionNames_AreRemoved_InBothDirections()
    {
        using var origin = new RawOrigin(async peer =>
        {
            var head = await peer.ReadHeadAsync();
            var seen = head.Contains("x-private", StringComparison.OrdinalIgnoreCase) ? "there" : "none";
            await peer.SendAsync($"HTTP/1.1 200 OK\r\nConnection: X-Secret, close\r\nX-Secret: 1\r\nX-Seen: {seen}\r\nContent-Length: 0\r\n\r\n");
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var answer = await mesh.RawAsync("GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Private\r\nX-Private: 1\r\n\r\n" + "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        Assert.Contains("x-seen: none", answer, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("there", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("x-secret", answer, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("x-envoy-attempt-count")]
    [InlineData("x-envoy-original-path")]
    [InlineData("x-envoy-original-host")]
    [InlineData("x-envoy-external-address")]
    [InlineData("x-envoy-peer-metadata")]
    [InlineData("x-envoy-peer-metadata-id")]
    [InlineData("x-envoy-internal")]
    [InlineData("x-forwarded-client-cert")]
    public async Task HeadersThatProxiesMake_CannotBePlanted(string name)
    {
        await using var mesh = await OneService.StartAsync([_origin.Port]);
        Assert.DoesNotContain("planted", await mesh.TextAsync("/", (name, "planted")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task HashBySource_LooksAtTheConnection_NotAtAHeader()
    {
        await using var other = await Origin.TextAsync("other");
        await using var mesh = await OneService.StartAsync(
            [_origin.Port, other.Port],
            cluster: c => c.LoadBalancer = new V1.LoadBalancer { Policy = V1.LoadBalancer.Types.Policy.ConsistentHash, ConsistentHash = new V1.ConsistentHash { SourceIp = true } });
        for (var i = 0; i < 30; i++)
            await mesh.TextAsync("/", ("x-forwarded-for", $"198.18.0.{i}"));
        Assert.Equal(30, Math.Max(_origin.Count, other.Count));
    }

    [Fact]
    public async Task IpBlocks_AreAboutTheClientsAddress_NotAHeader()
    {
        var deny = new V1.RequestPolicy
        {
            Name = "AuthorizationPolicy/shop/deny",
            Namespace = "shop",
            Authorization = new V1.AuthorizationRules
            {
                Action = V1.AuthorizationRules.Types.Action.Deny,
                Rules = { new V1.AuthorizationRule { From = { new V1.Source { IpBlocks = { "127.0.0.0/8" } } } } },
            },
        };
        await using var mesh = await OneService.StartAsync([_origin.Port], policies: deny);
        using var response = await mesh.GetAsync("/", ("x-forwarded-for", "198.18.0.1"));
        Assert.Equal(403, (int)response.StatusCode);
    }

    [Fact]
    public async Task Ejections_OfOneMoment_AllActAtOnce()
    {
        await using var bad = await Origin.TextAsync("bad", 500);
        await using var worse = await Origin.TextAsync("worse", 500);
        await using var mesh = await OneService.StartAsync(
            [bad.Port, worse.Port, _origin.Port],
            cluster: c =>
            {
                c.LoadBalancer = new V1.LoadBalancer { Policy = V1.LoadBalancer.Types.Policy.RoundRobin };
                c.OutlierDetection = new V1.OutlierDetection { Consecutive5Xx = 1, MaxEjectionPercent = 100 };
            });

        // A turn finds both; from then on there is one endpoint. The turn begins anew with each ejection.
        for (var i = 0; i < 40; i++)
            await mesh.TextAsync("/");
        Assert.Equal((1, 1, 38), (bad.Count, worse.Count, _origin.Count));
    }
}
