using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Tests.Waypoints;

public sealed class RateLimitTests
{
    private const string Limits = "apiVersion: v1\nkind: Service\nmetadata: { name: limits }\nspec: { selector: { app: limits }, ports: [ { name: grpc, port: 8081 } ] }\n";

    private static string Policy(string spec) => $"apiVersion: policy.mesh/v1alpha1\nkind: RateLimitPolicy\nmetadata: {{ name: limit, annotations: {{ istio.io/dry-run: 'true' }} }}\nspec:\n  targetRefs: [ {{ kind: Service, name: payment }} ]\n{spec}";

    private static RateLimits Translate(string spec, out IReadOnlyList<Resources.Problem> problems)
    {
        var mesh = Documents.Translate([Documents.PaymentService, Documents.PaymentWaypoint, Documents.Pod("p1", "payment", "198.18.2.2"), Limits, Policy(spec)]);
        problems = mesh.Problems;
        var waypoint = mesh.Waypoints["default/payment-waypoint"];
        Assert.Contains("RateLimitPolicy/default/limit", ((Service)waypoint.Services["default/payment.default.svc.cluster.local"]).Policies);
        return ((RequestPolicy)waypoint.Policies["RateLimitPolicy/default/limit"]).RateLimits;
    }

    [Fact]
    public void Policy_EveryField_Arrives()
    {
        var limits = Translate("""
              rules:
              - name: per-user
                match: [ { uri: { prefix: /api }, method: { exact: POST } } ]
                descriptor: [ { requestHeader: x-user, default: nobody }, { key: who, sourcePrincipal: true }, { value: x } ]
                local: { requests: 10, interval: 1m, burst: 20, maxKeys: 7 }
                global: true
              service: { host: limits, port: 8081, domain: shop, timeout: 50ms, failOpen: false }
              response: { status: 503, grpcStatus: UNAVAILABLE, limitHeaders: true, headers: { x-a: b } }
            """, out var problems);
        Assert.True(limits.DryRun);
        var rule = Assert.Single(limits.Rules);
        Assert.Equal(("per-user", true, "/api", "POST"), (rule.Name, rule.Shared, rule.Matches[0].Path.Prefix, rule.Matches[0].Method.Exact));
        Assert.Equal([("x-user", "nobody"), ("who", ""), ("generic_key", "")], rule.Entries.Select(e => (e.Key, e.Fallback)));
        Assert.Equal((10u, 60L, 20u, 7u), (rule.Local.Requests, rule.Local.Interval.Seconds, rule.Local.Burst, rule.Local.MaxKeys));
        Assert.Equal(("default/limits.default.svc.cluster.local|8081|", "limits.default.svc.cluster.local:8081", "shop", 50_000_000, true),
            (limits.Service.Cluster, limits.Service.Authority, limits.Service.Domain, limits.Service.Timeout.Nanos, limits.Service.FailClosed));
        Assert.Equal((503u, 14u, true, "b"), (limits.Answer.Status, limits.Answer.GrpcStatus, limits.Answer.LimitHeaders, limits.Answer.Headers["x-a"]));
        Assert.Empty(problems);
    }

    [Fact]
    public void Policy_Defaults_AreFilledIn()
    {
        var limits = Translate("  rules: [ { local: { requests: 5 } } ]\n", out _);
        Assert.Equal((5u, 1L, 5u), (limits.Rules[0].Local.Requests, limits.Rules[0].Local.Interval.Seconds, limits.Rules[0].Local.Burst));
        Assert.Equal((429u, 8u), (limits.Answer.Status, limits.Answer.GrpcStatus));
        Assert.Null(limits.Service);
    }

    [Fact]
    public void Service_ThatIsNotThere_IsNamed()
    {
        var limits = Translate("  rules: [ { global: true, descriptor: [ { value: x } ] } ]\n  service: { host: ghost, domain: d }\n", out var problems);
        Assert.Empty(limits.Service.Cluster);
        Assert.Contains(problems, p => p.Reason.Contains("its rate limit service is the service ghost.default.svc.cluster.local", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("  rules: [ { name: a } ]\n", "limits nothing")]
    [InlineData("  rules: [ { global: true } ]\n", "has no descriptor")]
    [InlineData("  rules: [ { global: true, descriptor: [ { value: x } ] } ]\n", "spec.service is missing")]
    [InlineData("  rules: [ { local: { requests: 1 }, descriptor: [ { value: x, path: true } ] } ]\n", "several things")]
    [InlineData("  rules: [ { local: { interval: 1s } } ]\n", "requests is missing")]
    [InlineData("  rules: [ { local: { requests: 1, intervall: 1s } } ]\n", "did you mean interval?")]
    public void Mistakes_AreRefusedWithTheirPlace(string spec, string expected)
    {
        var problems = Documents.Parse(Policy(spec)).Problems;
        Assert.Contains(problems, p => p.Line > 0 && (p.Reason + p.Fix).Contains(expected, StringComparison.Ordinal));
    }
}
