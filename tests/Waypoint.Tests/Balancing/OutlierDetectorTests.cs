using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Mesh.Testing;
using Mesh.Waypoint.Balancing;

namespace Mesh.Waypoint.Tests.Balancing;

public sealed class OutlierDetectorTests
{
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public void FiveErrorsInARow_Default_EjectOnTheFifth()
    {
        var (detector, hosts) = Detector(10, new OutlierSettings());
        for (var i = 0; i < 4; i++)
            Assert.False(detector.Report(hosts[0], EndpointResult.Response(503)));
        Assert.True(detector.Report(hosts[0], EndpointResult.Response(503)));
        Assert.True(hosts[0].IsEjected);
    }

    [Fact]
    public void Success_BetweenErrors_StartsTheCountAnew()
    {
        var (detector, hosts) = Detector(10, new OutlierSettings());
        for (var i = 0; i < 4; i++)
            detector.Report(hosts[0], EndpointResult.Response(500));
        detector.Report(hosts[0], EndpointResult.Response(200));
        for (var i = 0; i < 4; i++)
            Assert.False(detector.Report(hosts[0], EndpointResult.Response(500)));
        Assert.True(detector.Report(hosts[0], EndpointResult.Response(500)));
    }

    [Theory]
    [InlineData(2, 10, false, 0)]
    [InlineData(3, 10, false, 0)]
    [InlineData(10, 10, false, 1)]
    [InlineData(10, 30, false, 3)]
    [InlineData(2, 50, false, 1)]
    [InlineData(3, 50, false, 1)]
    [InlineData(4, 100, false, 4)]
    [InlineData(2, 10, true, 1)]
    [InlineData(1, 10, true, 0)]
    public void EverybodyFails_EjectedAreAsManyAsThePercentageAllows(int hostCount, int percent, bool alwaysOne, int expected)
    {
        var (detector, hosts) = Detector(hostCount, new OutlierSettings { MaxEjectionPercent = percent, AlwaysEjectOne = alwaysOne, Consecutive5xx = 3 });
        for (var i = 0; i < 30; i++)
            detector.Report(hosts[i % hostCount], EndpointResult.Response(500));
        Assert.Equal(expected, hosts.Count(h => h.IsEjected));
        Assert.Equal(expected, detector.EjectedCount);
    }

    [Fact]
    public void GatewayErrors_500BetweenThem_DoNotAddUp()
    {
        var (detector, hosts) = Detector(2, new OutlierSettings { Consecutive5xx = 0, ConsecutiveGatewayErrors = 2, MaxEjectionPercent = 100 });
        detector.Report(hosts[0], EndpointResult.Response(502));
        detector.Report(hosts[0], EndpointResult.Response(500));
        Assert.False(detector.Report(hosts[0], EndpointResult.Response(503)));
        Assert.True(detector.Report(hosts[0], EndpointResult.Response(504)));
    }

    [Fact]
    public void Split_LocalFailures_CountOnTheirOwn()
    {
        var (detector, hosts) = Detector(2, new OutlierSettings { SplitLocalOrigin = true, ConsecutiveLocalOriginFailures = 2, Consecutive5xx = 3, MaxEjectionPercent = 100 });
        detector.Report(hosts[0], EndpointResult.Response(500));
        detector.Report(hosts[0], EndpointResult.Response(500));
        Assert.False(detector.Report(hosts[0], EndpointResult.ConnectionFailed));
        Assert.True(detector.Report(hosts[0], EndpointResult.ConnectionFailed));
    }

    [Fact]
    public void EjectionTime_EachTimeInARow_GrowsByTheBase()
    {
        var (detector, hosts) = Detector(2, new OutlierSettings { MaxEjectionPercent = 100, Consecutive5xx = 1, Interval = TimeSpan.FromSeconds(1), BaseEjectionTime = TimeSpan.FromSeconds(10) });
        foreach (var expected in (int[])[10, 20, 30])
        {
            detector.Report(hosts[0], EndpointResult.Response(500));
            Assert.Equal(expected, Enumerable.Range(1, 100).First(_ =>
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                detector.Tick();
                return !hosts[0].IsEjected;
            }));
        }
    }

    [Fact]
    public void Multiplier_QuietIntervals_ShrinkItAgain()
    {
        var (detector, hosts) = Detector(2, new OutlierSettings { MaxEjectionPercent = 100, Consecutive5xx = 1, Interval = TimeSpan.FromSeconds(1), BaseEjectionTime = TimeSpan.FromSeconds(2) });
        detector.Report(hosts[0], EndpointResult.Response(500));
        for (var i = 0; i < 3; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            detector.Tick();
        }

        Assert.False(hosts[0].IsEjected);
        Assert.Equal(0, hosts[0].EjectionMultiplier);
    }

    [Fact]
    public void EjectionTime_LongestAllowed_Is300Seconds()
    {
        var (detector, _) = Detector(1, new OutlierSettings());
        Assert.Equal(TimeSpan.FromSeconds(30), detector.EjectionTime(1));
        Assert.Equal(TimeSpan.FromSeconds(300), detector.EjectionTime(50));
    }

    [Fact]
    public void Cluster_EjectedEndpoint_GetsNoRequestUntilItsTimeIsOver()
    {
        var state = Clusters.State(
            Clusters.Make(2, c => c.OutlierDetection = new V1.OutlierDetection { Consecutive5Xx = 5, Interval = Clusters.Seconds(1), BaseEjectionTime = Clusters.Seconds(10), AlwaysEjectOne = true }),
            _time);
        var bad = state.View!.All[0];
        for (var i = 0; i < 5; i++)
            state.Report(bad, EndpointResult.Response(500));
        Assert.All(Enumerable.Range(0, 200), _ => Assert.NotSame(bad, state.View!.Pick(null, Random.Shared)));
        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.All(Enumerable.Range(0, 50), _ => Assert.NotSame(bad, state.View!.Pick(null, Random.Shared)));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Contains(Enumerable.Range(0, 200), _ => state.View!.Pick(null, Random.Shared) == bad);
    }

    [Fact]
    public void Cluster_UnrelatedChange_KeepsTheEjection()
    {
        var registry = new ClusterRegistry(_time, Random.Shared);
        V1.Cluster Cluster(uint weight) => Clusters.Make(2, c =>
        {
            c.OutlierDetection = new V1.OutlierDetection { Consecutive5Xx = 1, MaxEjectionPercent = 50 };
            c.Endpoints[1].Weight = weight;
        });
        registry.Apply(registry.Compile(Cluster(1)));
        var state = registry.Reference("shop/orders|80|");
        state.Report(state.View!.All[0], EndpointResult.Response(500));
        registry.Apply(registry.Compile(Cluster(7)));
        Assert.True(state.View!.All[0].Outlier.IsEjected);
        Assert.Equal(1, state.Outlier!.EjectedCount);
        Assert.All(Enumerable.Range(0, 50), _ => Assert.Same(state.View.All[1], state.View.Pick(null, Random.Shared)));
    }

    [Fact]
    public void Panic_FewerHealthyThanTheThreshold_UsesAll()
    {
        var state = Clusters.State(
            Clusters.Make(4, c => c.OutlierDetection = new V1.OutlierDetection { Consecutive5Xx = 1, MaxEjectionPercent = 100, MinHealthPercent = 50 }), _time);
        foreach (var endpoint in state.View!.All.Take(3))
            state.Report(endpoint, EndpointResult.Response(500));
        Assert.Equal(4, Enumerable.Range(0, 400).Select(_ => state.View!.Pick(null, Random.Shared)!.Text).Distinct().Count());
    }

    public sealed record Event(int Host, int Status, int AdvanceSeconds);

    /// <summary>The arithmetic of the reference, written down once more as slowly and plainly as possible.</summary>
    [Property(MaxTest = 150)]
    public Property AnySequence_AgreesWithThePlainModel() => Prop.ForAll(
        (from host in Gen.Choose(0, 4)
         from status in Gen.Frequency((3, Gen.Constant(200)), (4, Gen.Constant(500)), (4, Gen.Constant(503)))
         from advance in Gen.Frequency((9, Gen.Constant(0)), (1, Gen.Choose(1, 40)))
         select new Event(host, status, advance)).ListOf(120).ToArbitrary(),
        Gen.Elements(10, 20, 40, 60, 100).ToArbitrary(),
        Gen.Choose(1, 3).ToArbitrary(),
        (events, percent, gateway) =>
        {
            var settings = new OutlierSettings { Consecutive5xx = 3, ConsecutiveGatewayErrors = gateway, MaxEjectionPercent = percent, Interval = TimeSpan.FromSeconds(10), BaseEjectionTime = TimeSpan.FromSeconds(15) };
            var time = new ManualTimeProvider();
            var hosts = Enumerable.Range(0, 5).Select(_ => new OutlierCounters()).ToArray();
            var detector = new OutlierDetector(settings, time);
            detector.SetHosts(hosts);
            var model = new PlainOutlierModel(5, settings);
            var sinceTick = 0;
            foreach (var e in events)
            {
                for (var s = 0; s < e.AdvanceSeconds; s++)
                {
                    time.Advance(TimeSpan.FromSeconds(1));
                    model.Now++;
                    if (++sinceTick == 10)
                    {
                        detector.Tick();
                        model.Tick();
                        sinceTick = 0;
                    }
                }

                detector.Report(hosts[e.Host], EndpointResult.Response(e.Status));
                model.Report(e.Host, e.Status);
                if (!hosts.Select(h => h.IsEjected).SequenceEqual(model.Ejected))
                    return false;
            }

            return true;
        });

    private (OutlierDetector Detector, OutlierCounters[] Hosts) Detector(int count, OutlierSettings settings)
    {
        var hosts = Enumerable.Range(0, count).Select(_ => new OutlierCounters()).ToArray();
        var detector = new OutlierDetector(settings, _time);
        detector.SetHosts(hosts);
        return (detector, hosts);
    }
}
