using System.Net;
using Mesh.Testing;
using Mesh.Waypoint.Tests.Balancing;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.RateLimiting;

public sealed class RateLimitTests
{
    private const string Cluster = "infra/limits.infra|8081|";

    private static V1.RequestPolicy Policy(Action<V1.RateLimits> change)
    {
        var policy = new V1.RequestPolicy { Name = "RateLimitPolicy/shop/limit", Namespace = "shop", RateLimits = new V1.RateLimits() };
        change(policy.RateLimits);
        return policy;
    }

    /// <summary>Buckets that do not refill while a test runs.</summary>
    private static V1.RateLimitRule Local(uint burst, params V1.RateLimitEntry[] entries) =>
        new() { Name = "r", Entries = { entries }, Local = new V1.TokenBucket { Requests = 1, Interval = Clusters.Seconds(3600), Burst = burst } };

    private static V1.RateLimitRule Shared(params V1.RateLimitEntry[] entries) => new() { Name = "all", Shared = true, Entries = { entries } };

    private static V1.RateLimitService Service(bool failClosed = false) =>
        new() { Cluster = Cluster, Authority = "limits.infra:8081", Domain = "shop", Timeout = Clusters.Seconds(20), FailClosed = failClosed };

    private static async Task<OneService> MeshAsync(int origin, int service, V1.RequestPolicy policy)
    {
        var mesh = await OneService.StartAsync([origin], policies: policy);
        Assert.Empty(mesh.Waypoint.Configuration.ApplyClusters([(Cluster, PythonService.Cluster(Cluster, service))], []));
        return mesh;
    }

    private static async Task<int> StatusAsync(OneService mesh, string path, params (string Name, string Value)[] headers)
    {
        using var response = await mesh.GetAsync(path, headers);
        return (int)response.StatusCode;
    }

    [Fact]
    public async Task Local_UsedUp_Is429WithTheReasonAndWhenToComeBack()
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await MeshAsync(origin.Port, 1, Policy(l =>
        {
            l.Rules.Add(Local(1));
            l.Answer = new V1.RateLimitAnswer { LimitHeaders = true, Headers = { { "x-plan", "free" } } };
        }));
        using var first = await mesh.GetAsync("/");
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.Equal(("1, 1;w=3600", "0", "3600"), Limits(first));
        await mesh.Waypoint.NextReportAsync();
        using var second = await mesh.GetAsync("/");
        Assert.Equal((HttpStatusCode.TooManyRequests, "local_rate_limited"), (second.StatusCode, await second.Content.ReadAsStringAsync()));
        Assert.Equal(("true", "free"), (second.Headers.GetValues("x-envoy-ratelimited").Single(), second.Headers.GetValues("x-plan").Single()));
        Assert.InRange(second.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 3000, 3600);
        Assert.Equal("0", Limits(second).Remaining);
        var report = await mesh.Waypoint.NextReportAsync();
        Assert.Equal((429, "RL", "local_rate_limited"), (report.Status, report.Flags, report.Details));
        Assert.Equal(1, origin.Count);
    }

    private static (string Limit, string Remaining, string Reset) Limits(HttpResponseMessage response) =>
        (response.Headers.GetValues("x-ratelimit-limit").Single(), response.Headers.GetValues("x-ratelimit-remaining").Single(), response.Headers.GetValues("x-ratelimit-reset").Single());

    [Fact]
    public async Task Local_ToGrpc_IsResourceExhausted()
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await MeshAsync(origin.Port, 1, Policy(l => l.Rules.Add(Local(1))));
        await StatusAsync(mesh, "/");
        using var response = await mesh.SendAsync(HttpMethod.Post, "/x.Y/Z", new ByteArrayContent([]) { Headers = { { "content-type", "application/grpc" } } });
        Assert.Equal((HttpStatusCode.OK, "8"), (response.StatusCode, response.Headers.GetValues("grpc-status").Single()));
    }

    [Fact]
    public async Task Local_Descriptors_CountApartAndAMissingValueDoesNotCount()
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await MeshAsync(origin.Port, 1, Policy(l => l.Rules.Add(Local(1, new V1.RateLimitEntry { Key = "user", Header = "x-user" }, new V1.RateLimitEntry { Key = "path", Path = true }))));
        Assert.Equal(200, await StatusAsync(mesh, "/a", ("x-user", "1")));
        Assert.Equal(429, await StatusAsync(mesh, "/a?q", ("x-user", "1")));
        Assert.Equal(200, await StatusAsync(mesh, "/b", ("x-user", "1")));
        Assert.Equal(200, await StatusAsync(mesh, "/a", ("x-user", "2")));
        Assert.Equal(200, await StatusAsync(mesh, "/a"));
        Assert.Equal(200, await StatusAsync(mesh, "/a"));
    }

    [Fact]
    public async Task Local_EveryRuleCounts_TheFirstUsedUpAnswers()
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await MeshAsync(origin.Port, 1, Policy(l =>
        {
            l.Rules.Add(Local(3));
            l.Rules.Add(Local(1, new V1.RateLimitEntry { Key = "p", QueryParameter = "p", Fallback = "none" }));
        }));
        Assert.Equal(
            (List<int>)[200, 429, 200, 429],
            (List<int>)[await StatusAsync(mesh, "/?p=%61"), await StatusAsync(mesh, "/?p=a"), await StatusAsync(mesh, "/"), await StatusAsync(mesh, "/?p=b")]);
    }

    [Fact]
    public async Task Local_Matches_LeaveOthersAlone_AndDryRunAnswersNobody()
    {
        await using var origin = await Origin.TextAsync("ok");
        var rule = Local(1);
        rule.Matches.Add(new V1.RouteMatch { Path = new V1.StringMatch { Prefix = "/api" } });
        await using var mesh = await MeshAsync(origin.Port, 1, Policy(l => l.Rules.Add(rule)));
        Assert.Equal((List<int>)[200, 429, 200, 200], (List<int>)[await StatusAsync(mesh, "/api"), await StatusAsync(mesh, "/api/x"), await StatusAsync(mesh, "/"), await StatusAsync(mesh, "/")]);
        mesh.Apply([origin.Port], policies: Policy(l =>
        {
            l.DryRun = true;
            l.Rules.Add(rule);
        }));
        Assert.Equal((List<int>)[200, 200], (List<int>)[await StatusAsync(mesh, "/api"), await StatusAsync(mesh, "/api")]);
    }

    [Fact]
    public async Task Local_UnrelatedChange_KeepsTheCount()
    {
        await using var origin = await Origin.TextAsync("ok");
        var policy = Policy(l => l.Rules.Add(Local(1)));
        await using var mesh = await MeshAsync(origin.Port, 1, policy);
        await StatusAsync(mesh, "/");
        Assert.Empty(mesh.Waypoint.Configuration.ApplyPolicies([("AuthorizationPolicy/shop/other", new V1.RequestPolicy { Name = "other", Authorization = new V1.AuthorizationRules() })], []));
        Assert.Equal(429, await StatusAsync(mesh, "/"));
    }

    [PythonGrpcFact]
    public async Task Shared_TheServiceCounts_AndItsHeadersAndBodyAreUsed()
    {
        using var service = await PythonService.GrpcAsync();
        await using var origin = await Origin.StartAsync(http => http.Response.WriteAsync(http.Request.Headers["x-seen"].ToString()));
        await using var mesh = await MeshAsync(origin.Port, service.Port, Policy(l =>
        {
            l.Service = Service();
            l.Answer = new V1.RateLimitAnswer { LimitHeaders = true };
            l.Rules.Add(Shared(new V1.RateLimitEntry { Key = "limit", Constant = "1" }, new V1.RateLimitEntry { Key = "who", Principal = true }));
            l.Rules.Add(Shared(new V1.RateLimitEntry { Key = "limit", Constant = "9" }, new V1.RateLimitEntry { Key = "method", Method = true }));
        }));
        using var first = await mesh.GetAsync("/");
        Assert.Equal((HttpStatusCode.OK, "shop"), (first.StatusCode, await first.Content.ReadAsStringAsync()));
        Assert.Equal($"limit=1|who={Requests.Storefront}|limit=9|method=GET", first.Headers.GetValues("x-limiter").Single());
        Assert.Equal(("1, 1;w=60;name=\"plan\", 9;w=60;name=\"plan\"", "0", "42"), Limits(first));
        await mesh.Waypoint.NextReportAsync();
        using var second = await mesh.GetAsync("/");
        Assert.Equal((HttpStatusCode.TooManyRequests, "slow down"), (second.StatusCode, await second.Content.ReadAsStringAsync()));
        var report = await mesh.Waypoint.NextReportAsync();
        Assert.Equal((429, "RL", "request_rate_limited"), (report.Status, report.Flags, report.Details));
        Assert.Equal(1, origin.Count);
    }

    [PythonGrpcTheory]
    [InlineData(false, 200, "-")]
    [InlineData(true, 500, "RLSE")]
    public async Task Shared_ServiceFails_PassesUnlessClosed(bool closed, int expected, string flags)
    {
        using var service = await PythonService.GrpcAsync();
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await MeshAsync(origin.Port, service.Port, Policy(l =>
        {
            l.Service = Service(closed);
            l.Rules.Add(Shared(new V1.RateLimitEntry { Key = "ill", Constant = "yes" }));
        }));
        Assert.Equal(expected, await StatusAsync(mesh, "/"));
        Assert.Equal(flags, (await mesh.Waypoint.NextReportAsync()).Flags);
    }

    [Fact]
    public async Task Shared_ServiceAway_PassesUnlessClosed()
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await MeshAsync(origin.Port, 1, Policy(l => l.Service = Service()));
        foreach (var closed in (bool[])[false, true])
        {
            mesh.Apply([origin.Port], policies: Policy(l =>
            {
                l.Service = Service(closed);
                l.Rules.Add(Shared(new V1.RateLimitEntry { Key = "limit", Constant = "1" }));
            }));
            Assert.Equal(closed ? 500 : 200, await StatusAsync(mesh, "/"));
        }
    }
}
