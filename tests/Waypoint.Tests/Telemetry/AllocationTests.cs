using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;
using Mesh.Waypoint.Authorization;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Telemetry;
using Mesh.Waypoint.Tests.Balancing;
using Mesh.Waypoint.Tests.Harness;

namespace Mesh.Waypoint.Tests.Telemetry;

/// <summary>What the parts of a request may allocate, in bytes per request; bench/Mesh.Microbenchmarks shows what they cost in time.</summary>
public sealed class AllocationTests
{
    private const int Rounds = 2000;

    private readonly ClusterRegistry _clusters = new(TimeProvider.System, new Random(1));

    private static long PerCall(Action call)
    {
        // Everything that is made once is made before.
        for (var i = 0; i < 100; i++)
            call();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Rounds; i++)
            call();
        return (GC.GetAllocatedBytesForCurrentThread() - before) / Rounds;
    }

    private PortRoutes Routes()
    {
        _clusters.Apply(_clusters.Compile(Clusters.Make(5)));
        var port = new V1.ServicePort { Port = 80, Protocol = V1.Protocol.Http1 };
        for (var i = 0; i < 20; i++)
        {
            var route = new V1.HttpRoute { Name = $"r{i}", Forward = new V1.Forward { Clusters = { new V1.WeightedCluster { Cluster = OneService.ClusterName, Weight = 1 } } } };
            if (i < 19)
                route.Matches.Add(new V1.RouteMatch { Path = new V1.StringMatch { Prefix = $"/v{i}/" }, Method = new V1.StringMatch { Exact = "GET" }, Headers = { new V1.HeaderMatch { Name = "x-plan", Value = new V1.StringMatch { Exact = "gold" } } } });
            port.HttpRoutes.Add(route);
        }

        return new PortRoutes(port, _clusters);
    }

    [Fact]
    public void RouteMatch_AllocatesNothing()
    {
        var routes = Routes();
        var request = Requests.Get("/v18/orders?x=1", ("x-plan", "silver"));
        Assert.Equal("r19", routes.Match(request)!.Value.Route.Name);
        Assert.Equal(0, PerCall(() => routes.Match(request)));
    }

    [Fact]
    public void PolicyEvaluation_AllocatesNothing()
    {
        var rule = new V1.AuthorizationRule
        {
            From = { new V1.Source { Principals = { "cluster.local/ns/shop/sa/storefront" }, Namespaces = { "shop" } } },
            To = { new V1.Operation { Methods = { "GET" }, Paths = { "/orders/*" }, Hosts = { "shop.example" } } },
        };
        var policy = new V1.RequestPolicy { Name = "AuthorizationPolicy/shop/p", Namespace = "shop", Authorization = new V1.AuthorizationRules { Rules = { new V1.AuthorizationRule { To = { new V1.Operation { Paths = { "/x" } } } }, rule } } };
        var set = new PolicySet([new CompiledPolicy(policy.Name, new AuthorizationRuleSet(policy), null)], []);
        var facts = Requests.Facts(Requests.Get("/orders/1"));
        Assert.True(set.Evaluate(facts).IsAllowed);
        Assert.Equal(0, PerCall(() => set.Evaluate(facts)));
    }

    [Theory]
    [InlineData(V1.LoadBalancer.Types.Policy.LeastRequest)]
    [InlineData(V1.LoadBalancer.Types.Policy.RoundRobin)]
    [InlineData(V1.LoadBalancer.Types.Policy.Random)]
    public void BalancingPick_AllocatesNothing(V1.LoadBalancer.Types.Policy policy)
    {
        var view = Clusters.State(Clusters.Make(5, c => c.LoadBalancer = new V1.LoadBalancer { Policy = policy }), TimeProvider.System).View!;
        var random = new Random(1);
        Assert.Equal(0, PerCall(() => view.Pick(null, random)));
    }

    [Fact]
    public async Task MetricsLogAndRecord_OfARealRequest_StayWithinTheirBudgets()
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var registry = new MetricRegistry();
        var metrics = new WaypointMetrics(registry, mesh.Waypoint.Configuration.Clusters);
        Assert.True(LogFilter.TryParse("info", out var filter, out _));
        using var sink = new LogSink(Stream.Null, LogFormat.Json, filter!, TimeProvider.System);
        var log = new AccessLog(sink);
        var decisions = new RequestDecisions(100, 100, () => 1, TimeProvider.System, Random.Shared);
        var measured = (Metrics: -1L, Log: -1L, Decision: -1L);

        // While the request's context is alive: Kestrel uses it again afterwards.
        mesh.Waypoint.OnReport = exchange => measured = (
            PerCall(() => metrics.Record(exchange, TimeSpan.FromMilliseconds(3))),
            PerCall(() => log.Write(exchange, TimeSpan.FromMilliseconds(3))),
            PerCall(() => decisions.Record(exchange, TimeSpan.FromMilliseconds(3))));
        Assert.Equal("ok", await mesh.TextAsync("/"));
        await mesh.Waypoint.NextReportAsync();
        Assert.Equal(0, measured.Metrics);

        // In a burst the writing thread is behind, so each line's event is a new one; with a reader that keeps up they come from the pool.
        Assert.InRange(measured.Log, 0, 4096);
        Assert.InRange(measured.Decision, 0, 512);
    }
}
