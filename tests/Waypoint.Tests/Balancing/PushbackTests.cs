using Mesh.Testing;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Http1;
using Mesh.Waypoint.Resilience;

namespace Mesh.Waypoint.Tests.Balancing;

/// <summary>Rate-limited answers and what the balancer makes of them.</summary>
public sealed class PushbackTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly ManualTimeProvider _time = new(Now);
    private readonly Random _random = new(11);

    [Theory]
    [InlineData(429, null, "retry-after", "7", 7000.0)]
    [InlineData(429, null, "Retry-After", "Thu, 01 Jan 2026 00:00:09 GMT", 9000.0)]
    [InlineData(429, null, "retry-after", "Wed, 31 Dec 2025 23:00:00 GMT", null)]
    [InlineData(429, null, "retry-after", "-3", null)]
    [InlineData(429, null, "retry-after", "soon", null)]
    [InlineData(429, null, "x-other", "7", null)]
    [InlineData(503, null, "retry-after", "7", null)]
    [InlineData(200, 8, "grpc-retry-pushback-ms", "250", 250.0)]
    [InlineData(200, 8, "grpc-retry-pushback-ms", "-1", null)]
    [InlineData(200, 8, "retry-after", "2", 2000.0)]
    [InlineData(200, 14, "grpc-retry-pushback-ms", "250", null)]
    public void Asked_IsTheTimeThatARateLimitedAnswerNames(int status, int? grpc, string name, string value, double? milliseconds)
    {
        var fields = new FieldList();
        fields.Add(name, value);
        Assert.Equal(milliseconds, Pushback.Asked(status, grpc, fields, Now)?.TotalMilliseconds);
    }

    [Theory]
    [InlineData(V1.LoadBalancer.Types.Policy.LeastRequest)]
    [InlineData(V1.LoadBalancer.Types.Policy.RoundRobin)]
    [InlineData(V1.LoadBalancer.Types.Policy.Random)]
    public void Endpoint_ThatIsRateLimited_GetsNothingUntilItsTimeIsOver(V1.LoadBalancer.Types.Policy policy)
    {
        var state = State(3, policy);
        var limited = state.View!.All[0];
        Assert.Equal(TimeSpan.FromSeconds(5), state.PushBack(limited, TimeSpan.FromSeconds(5)));
        Assert.Equal(0, Share(state, limited));
        _time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.Equal(0, Share(state, limited));
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.InRange(Share(state, limited), 200, 400);
        Assert.Equal(1, state.Pushbacks);
    }

    [Fact]
    public void Time_IsBounded_AndASecondAnswerCanOnlyMakeItLonger()
    {
        var state = State(3);
        var limited = state.View!.All[0];
        Assert.Equal(TimeSpan.FromSeconds(30), state.PushBack(limited, TimeSpan.FromDays(400)));
        var view = state.View;
        Assert.Null(state.PushBack(limited, TimeSpan.FromSeconds(1)));
        _time.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal(TimeSpan.FromSeconds(30), state.PushBack(limited, TimeSpan.FromSeconds(60)));

        // Nothing was built anew for it.
        Assert.Same(view, state.View);
        Assert.Equal(1, state.Pushbacks);
        _time.Advance(TimeSpan.FromSeconds(29));
        Assert.Equal(0, Share(state, limited));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.InRange(Share(state, limited), 200, 400);
    }

    [Fact]
    public void MoreThanHalfLimited_AllAreUsed_SoTheSetIsNeverEmptyAndNobodyGetsEverything()
    {
        var state = State(3);
        foreach (var endpoint in state.View!.All.Take(2).ToList())
            state.PushBack(endpoint, TimeSpan.FromSeconds(10));
        Assert.All(state.View!.All, e => Assert.InRange(Share(state, e), 200, 400));
        state.PushBack(state.View!.All[2], TimeSpan.FromSeconds(10));
        Assert.All(state.View!.All, e => Assert.InRange(Share(state, e), 200, 400));
        _time.Advance(TimeSpan.FromSeconds(11));
        Assert.All(state.View!.All, e => Assert.InRange(Share(state, e), 200, 400));
    }

    [Fact]
    public void OnlyEndpoint_Limited_StillServes()
    {
        var state = State(1);
        state.PushBack(state.View!.All[0], TimeSpan.FromSeconds(10));
        Assert.Same(state.View!.All[0], state.View!.Pick(null, _random));
    }

    [Fact]
    public void Retry_WithTheOtherTried_TakesTheLimitedOneBeforeTheSameAgain()
    {
        var state = State(2);
        var (limited, tried) = (state.View!.All[0], state.View!.All[1]);
        state.PushBack(limited, TimeSpan.FromSeconds(10));
        Assert.All(Enumerable.Range(0, 50), _ => Assert.Same(limited, state.View!.Pick(null, _random, [tried])));
    }

    [Fact]
    public void ConsistentHash_DoesNotMoveItsKeys()
    {
        var state = State(3, V1.LoadBalancer.Types.Policy.ConsistentHash);
        Assert.Null(state.PushBack(state.View!.Pick(77, _random)!, TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public void Off_NothingIsLeftAlone()
    {
        var registry = new ClusterRegistry(_time, _random) { LongestPushback = TimeSpan.Zero };
        registry.Apply(registry.Compile(Clusters.Make(2)));
        var state = registry.Reference("shop/orders|80|");
        Assert.Null(state.PushBack(state.View!.All[0], TimeSpan.FromSeconds(10)));
        Assert.InRange(Share(state, state.View!.All[0]), 350, 650);
    }

    [Fact]
    public void ConfigurationChange_KeepsIt()
    {
        var registry = new ClusterRegistry(_time, _random);
        registry.Apply(registry.Compile(Clusters.Make(2)));
        var state = registry.Reference("shop/orders|80|");
        state.PushBack(state.View!.All[0], TimeSpan.FromSeconds(10));
        registry.Apply(registry.Compile(Clusters.Make(3)));
        Assert.Equal(0, Share(state, state.View!.All[0]));
    }

    private int Share(ClusterState state, EndpointState endpoint) =>
        Enumerable.Range(0, 900).Count(_ => state.View!.Pick(null, _random) == endpoint);

    private ClusterState State(int endpoints, V1.LoadBalancer.Types.Policy policy = V1.LoadBalancer.Types.Policy.LeastRequest) => Clusters.State(
        Clusters.Make(endpoints, c => c.LoadBalancer = new V1.LoadBalancer { Policy = policy, ConsistentHash = new V1.ConsistentHash { Header = "x" } }),
        _time);
}
