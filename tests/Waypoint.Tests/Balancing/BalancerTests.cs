using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Mesh.Testing;
using Mesh.Waypoint.Balancing;

namespace Mesh.Waypoint.Tests.Balancing;

public sealed class BalancerTests
{
    private readonly Random _random = new(11);

    [Theory]
    [InlineData("", 0xEF46DB3751D8E999UL)]
    [InlineData("a", 0xD24EC4F1A98C6E5BUL)]
    [InlineData("abc", 0x44BC2CF5AD770999UL)]
    [InlineData("Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1UL)]
    public void XxHash64_PublishedVectors_AreMet(string text, ulong expected) => Assert.Equal(expected, XxHash64.Hash(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void LeastRequest_OneBusyOfTwo_GetsTheSmallerShare()
    {
        var endpoints = Clusters.Endpoints(2);
        endpoints[0].Enter();
        var balancer = new LeastRequestBalancer(endpoints, new WeightSource([1, 1]));
        var busy = Enumerable.Range(0, 4000).Count(_ => balancer.Pick(null, _random) == endpoints[0]);

        // Drawn twice in a row by chance: a quarter.
        Assert.InRange(busy, 880, 1120);
    }

    [Fact]
    public void LeastRequest_WeightsWithoutLoad_ShareInProportion()
    {
        var endpoints = Clusters.Endpoints(2);
        var balancer = new LeastRequestBalancer(endpoints, new WeightSource([3, 1]));
        var heavy = Enumerable.Range(0, 8000).Count(_ => balancer.Pick(null, _random) == endpoints[0]);
        Assert.InRange(heavy, 5800, 6200);
    }

    [Fact]
    public void RoundRobin_EqualWeights_VisitsEachInTurn()
    {
        var endpoints = Clusters.Endpoints(3);
        var balancer = new RoundRobinBalancer(endpoints, new WeightSource([1, 1, 1]), _random);
        var seen = Enumerable.Range(0, 9).Select(_ => balancer.Pick(null, _random).Text).ToList();
        Assert.Equal(3, seen.Take(3).Distinct().Count());
        Assert.Equal(seen.Take(3), seen.Skip(3).Take(3));
        Assert.Equal(seen.Take(3), seen.Skip(6).Take(3));
    }

    [Fact]
    public void RoundRobin_Weights_AreExactAndSmooth()
    {
        var endpoints = Clusters.Endpoints(3);
        var balancer = new RoundRobinBalancer(endpoints, new WeightSource([5, 1, 1]), _random);
        var seen = Enumerable.Range(0, 7).Select(_ => balancer.Pick(null, _random)).ToList();
        Assert.Equal(5, seen.Count(e => e == endpoints[0]));
        Assert.Equal(1, seen.Count(e => e == endpoints[1]));
        Assert.Equal(1, seen.Count(e => e == endpoints[2]));
    }

    [Property(MaxTest = 30)]
    public Property HashRing_EndpointGoes_OnlyItsKeysMove() => Prop.ForAll(
        Gen.Choose(2, 9).ToArbitrary(),
        Gen.Choose(0, 8).ToArbitrary(),
        (count, gone) =>
        {
            var all = Clusters.Endpoints(count);
            var left = all.Where((_, i) => i != gone % count).ToArray();
            var before = new HashRing(all, 0);
            var after = new HashRing(left, 0);
            return Enumerable.Range(0, 500).All(k =>
            {
                var key = XxHash64.Hash($"key-{k}");
                var owner = before.Pick(key, _random);
                return owner == all[gone % count] || after.Pick(key, _random) == owner;
            });
        });

    [Fact]
    public void HashRing_ManyKeys_SpreadOverAll()
    {
        var endpoints = Clusters.Endpoints(4);
        var ring = new HashRing(endpoints, 0);
        var counts = Enumerable.Range(0, 8000).GroupBy(k => ring.Pick(XxHash64.Hash($"key-{k}"), _random).Text).Select(g => g.Count()).ToList();
        Assert.Equal(4, counts.Count);
        Assert.All(counts, c => Assert.InRange(c, 1300, 2800));
    }

    [Fact]
    public void Maglev_ManyKeys_SpreadEvenlyAndMoveLittle()
    {
        var endpoints = Clusters.Endpoints(5);
        var table = new MaglevTable(endpoints, 0);
        var fewer = new MaglevTable([.. endpoints.Take(4)], 0);
        var keys = Enumerable.Range(0, 10_000).Select(k => XxHash64.Hash($"key-{k}")).ToList();
        Assert.All(keys.GroupBy(k => table.Pick(k, _random).Text).Select(g => g.Count()), c => Assert.InRange(c, 1800, 2200));
        var movedWithoutNeed = keys.Count(k => table.Pick(k, _random) != endpoints[4] && table.Pick(k, _random) != fewer.Pick(k, _random));
        Assert.True(movedWithoutNeed < 500, $"{movedWithoutNeed} of 10000 keys moved between endpoints that both stayed");
    }

    [Fact]
    public void Pick_PreviousHosts_AreAvoidedWhileOthersAreThere()
    {
        var state = Clusters.State(Clusters.Make(3), new ManualTimeProvider());
        var tried = new List<EndpointState> { state.View!.All[0] };
        var again = Enumerable.Range(0, 1000).Count(_ => state.View!.Pick(null, _random, tried) == tried[0]);

        // Six draws of one third each: less than one in 700.
        Assert.InRange(again, 0, 12);
    }

    [Fact]
    public void Pick_UnhealthyEndpoint_GetsNothing()
    {
        var state = Clusters.State(Clusters.Make(2, c => c.Endpoints[0].Healthy = false), new ManualTimeProvider());
        Assert.All(Enumerable.Range(0, 100), _ => Assert.Equal("127.40.0.2:8080", state.View!.Pick(null, _random)!.Text));
    }

    [Fact]
    public void Pick_NoUsableEndpoint_IsNull() => Assert.Null(Clusters.State(Clusters.Make(0), new ManualTimeProvider()).View!.Pick(null, _random));

    [Fact]
    public void Apply_ChangedWeights_KeepsTheStateOfEndpointsThatStay()
    {
        var registry = new ClusterRegistry(new ManualTimeProvider(), _random);
        registry.Apply(registry.Compile(Clusters.Make(2)));
        var before = registry.Reference("shop/orders|80|").View!.All[0];
        registry.Apply(registry.Compile(Clusters.Make(3, c => c.Endpoints[0].Weight = 9)));
        Assert.Same(before, registry.Reference("shop/orders|80|").View!.All[0]);
        Assert.Equal(9, before.Weight);
    }

    [Fact]
    public void Warmup_NewEndpoint_StartsWithATenthAndGrows()
    {
        var time = new ManualTimeProvider();
        var registry = new ClusterRegistry(time, _random);
        V1.Cluster Cluster(int count) => Clusters.Make(count, c => c.LoadBalancer = new V1.LoadBalancer { Policy = V1.LoadBalancer.Types.Policy.LeastRequest, Warmup = Clusters.Seconds(100) });
        registry.Apply(registry.Compile(Cluster(1)));
        time.Advance(TimeSpan.FromSeconds(1000));
        registry.Apply(registry.Compile(Cluster(2)));
        var view = registry.Reference("shop/orders|80|").View!;
        var young = Enumerable.Range(0, 11_000).Count(_ => view.Pick(null, _random) == view.All[1]);
        Assert.InRange(young, 850, 1150);
        time.Advance(TimeSpan.FromSeconds(101));
        view = registry.Reference("shop/orders|80|").View!;
        Assert.InRange(Enumerable.Range(0, 10_000).Count(_ => view.Pick(null, _random) == view.All[1]), 4700, 5300);
    }

    [Fact]
    public void Priorities_HealthyFirstLevel_TakesEverythingAndSpillsOverWhenItFails()
    {
        var time = new ManualTimeProvider();
        var state = Clusters.State(
            Clusters.Make(4, c =>
            {
                c.LoadBalancer = new V1.LoadBalancer { FailoverPriorities = { 0, 0, 1, 1 } };
                c.OutlierDetection = new V1.OutlierDetection { Consecutive5Xx = 1, MaxEjectionPercent = 100 };
            }),
            time);
        Assert.All(Enumerable.Range(0, 100), _ => Assert.Contains(state.View!.Pick(null, _random), state.View!.All.Take(2)));
        state.Report(state.View!.All[0], EndpointResult.Response(500));

        // Half of the first level works: 50 % x 1.4 = 70 % stay.
        var first = Enumerable.Range(0, 10_000).Count(_ => state.View!.All.Take(2).Contains(state.View.Pick(null, _random)));
        Assert.InRange(first, 6800, 7200);
        state.Report(state.View!.All[1], EndpointResult.Response(500));
        Assert.All(Enumerable.Range(0, 100), _ => Assert.Contains(state.View!.Pick(null, _random), state.View!.All.Skip(2)));
    }
}
