using Mesh.Model.Workloads;
using static Mesh.Model.Tests.TestMesh;

namespace Mesh.Model.Tests.Workloads;

public sealed class WeightedWaypointTests
{
    private static readonly GatewayAddress Single = GatewayAddress.ByHostname(Key("default/single.example"), 15008);
    private static readonly GatewayAddress A = GatewayAddress.ByAddress(Address("/10.0.0.1"), 15008);
    private static readonly GatewayAddress B = GatewayAddress.ByAddress(Address("/10.0.0.2"), 15008);

    [Fact]
    public void Waypoint_WithoutWeights_IsTheSingleOne()
    {
        Assert.Equal(Single, (Service("a") with { Waypoint = Single }).ChooseWaypoint(new Random(1)));
        Assert.Equal(Single, (Service("a") with { Waypoint = Single, WeightedWaypoints = [new(A, 0), new(B, 0)] }).ChooseWaypoint(new Random(1)));
        Assert.Null(Service("a").ChooseWaypoint(new Random(1)));
    }

    [Fact]
    public void Waypoint_WithWeights_IsSampledByThem_NeverOneOfZero()
    {
        var service = Service("a") with { Waypoint = Single, WeightedWaypoints = [new(A, 75), new(Single, 0), new(B, 25)] };
        var random = new Random(1);
        var counts = Enumerable.Range(0, 10_000).Select(_ => service.ChooseWaypoint(random)).CountBy(w => w!).ToDictionary();
        Assert.Equal(2, counts.Count);
        Assert.InRange(counts[A], 7_000, 8_000);
    }

    [Fact]
    public void GatewayAddress_ReadsAsItIsConfigured()
    {
        Assert.Equal("/10.0.0.1:15008", A.ToString());
        Assert.Equal("default/single.example:15008", Single.ToString());
        Assert.True(A.IsAddress);
        Assert.False(Single.IsAddress);
    }
}
