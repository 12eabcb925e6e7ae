using System.Net;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Mesh.Model.Collections;
using Mesh.Model.Selection;
using Mesh.Model.Workloads;
using static Mesh.Model.Tests.TestMesh;

namespace Mesh.Model.Tests.Selection;

public sealed class EndpointSelectionTests
{
    private const string Host = "default/echo.example";
    private static readonly SelectionSource Here = new("net1", "c1", "n1", new("region", "zone", "subzone"));
    private static readonly LoadBalancerScope[] Locality = [LoadBalancerScope.Network, LoadBalancerScope.Region, LoadBalancerScope.Zone];

    [Fact]
    public void Standard_KeepsEveryReachableEndpoint() =>
        Assert.Equal(["far", "near", "same"], Names(null, Near("same"), Near("near") with { Node = "n9" }, Far("far")));

    [Theory]
    [InlineData(LoadBalancerMode.Strict, new[] { "same" })]
    [InlineData(LoadBalancerMode.Failover, new[] { "same" })]
    public void SameZone_IsPreferred(LoadBalancerMode mode, string[] expected) =>
        Assert.Equal(expected, Names(Balancer(mode, Locality), Near("same"), Near("other-zone") with { Locality = new("region", "x") }, Far("far")));

    [Fact]
    public void Failover_WithoutTheBest_TakesTheNext_StrictTakesNone()
    {
        Workload[] rest = [Near("other-zone") with { Locality = new("region", "x") }, Near("other-region") with { Locality = new("x", "zone") }, Far("far")];
        Assert.Equal(["other-zone"], Names(Balancer(LoadBalancerMode.Failover, Locality), rest));
        Assert.Equal(["other-region"], Names(Balancer(LoadBalancerMode.Failover, Locality), rest[1..]));
        Assert.Equal(["far"], Names(Balancer(LoadBalancerMode.Failover, Locality), rest[2..]));
        Assert.Empty(Names(Balancer(LoadBalancerMode.Strict, Locality), rest));
    }

    /// <summary>Being in the own network outweighs everything else; among remote networks locality still counts.</summary>
    [Fact]
    public void LeadingNetworkScope_DoesNotEndTheComparison()
    {
        var balancer = Balancer(LoadBalancerMode.Failover, Locality);
        var remoteSameZone = Far("remote-same-zone") with { Locality = new("region", "zone") };
        Assert.Equal(3, EndpointSelection.Rank(balancer, Here, Near("a") with { Locality = new("x", "x") }));
        Assert.Equal(2, EndpointSelection.Rank(balancer, Here, remoteSameZone));
        Assert.Equal(["a"], Names(balancer, Near("a") with { Locality = new("x", "x") }, remoteSameZone));
        Assert.Equal(["remote-same-zone"], Names(balancer, remoteSameZone, Far("far")));

        var networkLater = Balancer(LoadBalancerMode.Failover, LoadBalancerScope.Region, LoadBalancerScope.Network, LoadBalancerScope.Zone);
        Assert.Equal(1, EndpointSelection.Rank(networkLater, Here, remoteSameZone));
        Assert.Null(EndpointSelection.Rank(balancer with { Mode = LoadBalancerMode.Strict }, Here, remoteSameZone));
    }

    [Fact]
    public void NodeLocal_IsStrictByNode()
    {
        var balancer = Balancer(LoadBalancerMode.Strict, LoadBalancerScope.Node);
        Assert.Equal(["same"], Names(balancer, Near("same"), Near("other") with { Node = "n2" }));
        Assert.Empty(Names(balancer, Near("other") with { Node = "n2" }));
    }

    [Fact]
    public void EndpointWithoutAddress_NeedsAHostnameOrAGatewayOfAnotherNetwork()
    {
        var gateway = GatewayAddress.ByAddress(new("net2", IPAddress.Parse("192.0.2.1")), 15008);
        var bare = Near("bare") with { Addresses = [] };
        Assert.Empty(Names(null, bare));
        Assert.Empty(Names(null, bare with { NetworkGateway = gateway }));
        Assert.Equal(["bare"], Names(null, bare with { Hostname = "bare.example" }));
        Assert.Equal(["bare"], Names(null, bare with { Network = "net2", NetworkGateway = gateway }));
        Assert.Empty(Names(null, bare with { Network = "net2" }));
    }

    [Theory]
    // service target, endpoint's mapping (0: none), expected target
    [InlineData(8080, 0, 8080)]
    [InlineData(8080, 9090, 9090)]
    [InlineData(0, 9090, 9090)]
    [InlineData(0, 0, null)]
    public void TargetPort_EndpointsMappingBeatsTheServices_NamedPortsNeedOne(int serviceTarget, int own, int? expected)
    {
        var service = Service("echo.example") with { Ports = PortMap.Of((80, serviceTarget)) };
        var endpoint = new Endpoint(Near("a"), own == 0 ? PortMap.Empty : PortMap.Of((80, own)));
        Assert.Equal((ushort?)expected, EndpointSelection.TargetPort(service, endpoint, 80, SelectionPurpose.Traffic));
        Assert.Null(EndpointSelection.TargetPort(service, endpoint, 81, SelectionPurpose.Traffic));
    }

    [Fact]
    public void TargetPort_OfAWaypointThatTakesTunnels_MayBeMissingOnTheService()
    {
        var service = Service("waypoint.example") with { Ports = PortMap.Empty };
        var plain = new Endpoint(Near("w"), PortMap.Empty);
        var tunnel = new Endpoint(Near("w") with { ApplicationTunnel = new(ApplicationTunnelProtocol.Proxy, 15088) }, PortMap.Empty);
        Assert.Null(EndpointSelection.TargetPort(service, plain, 15008, SelectionPurpose.Waypoint));
        Assert.Equal((ushort)15008, EndpointSelection.TargetPort(service, tunnel, 15008, SelectionPurpose.Waypoint));
        Assert.Null(EndpointSelection.TargetPort(service, tunnel, 15008, SelectionPurpose.Traffic));
        Assert.Null(EndpointSelection.TargetPort(service, tunnel with { Workload = tunnel.Workload with { ApplicationTunnel = new(ApplicationTunnelProtocol.None) } }, 15008, SelectionPurpose.Waypoint));
    }

    [Fact]
    public void Choice_FollowsCapacity_AndZeroIsNeverChosen()
    {
        var entry = Entry(null, Near("one"), Near("three") with { Capacity = 3 }, Near("none") with { Capacity = 0 });
        var random = new Random(1);
        var counts = Enumerable.Range(0, 40_000).Select(_ => EndpointSelection.Select(entry, Here, 80, SelectionPurpose.Traffic, random)!.Value.Workload.Name).CountBy(n => n).ToDictionary();
        Assert.Equal(2, counts.Count);
        Assert.InRange(counts["three"] / 40_000.0, 0.73, 0.77);
        Assert.Null(EndpointSelection.Select(Entry(null, Near("none") with { Capacity = 0 }), Here, 80, SelectionPurpose.Traffic, random));
        Assert.Null(EndpointSelection.Select(Entry(null), Here, 80, SelectionPurpose.Traffic, random));
    }

    [Fact]
    public void Choice_AfterAnEndpointChanged_UsesTheNewOne()
    {
        var snapshot = Snapshot(null, Near("a"));
        Assert.Equal("a", Pick(snapshot));
        snapshot = snapshot.Without("a").With(Near("b"));
        Assert.Equal("b", Pick(snapshot));
        Assert.Equal((ushort)8080, EndpointSelection.Select(snapshot.FindEndpoints(Key(Host))!, Here, 80, SelectionPurpose.Traffic, new Random(1))!.Value.TargetPort);
        snapshot = snapshot.With(Service("echo.example") with { Ports = PortMap.Of((80, 9999)) });
        Assert.Equal((ushort)9999, EndpointSelection.Select(snapshot.FindEndpoints(Key(Host))!, Here, 80, SelectionPurpose.Traffic, new Random(1))!.Value.TargetPort);
        Assert.Null(EndpointSelection.Select(snapshot.FindEndpoints(Key(Host))!, Here, 81, SelectionPurpose.Traffic, new Random(1)));
    }

    [Fact]
    public void Choice_OnASettledSnapshot_AllocatesNothing()
    {
        var entry = Entry(Balancer(LoadBalancerMode.Failover, Locality), Near("a"), Near("b"), Far("c"));
        var random = new Random(1);
        EndpointSelection.Select(entry, Here, 80, SelectionPurpose.Traffic, random);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            EndpointSelection.Select(entry, Here, 80, SelectionPurpose.Traffic, random);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Property(MaxTest = 500)]
    public Property Preferred_AnyEndpoints_AreThoseOfTheHighestRank() =>
        Prop.ForAll(
            AnyPlace.ArrayOf().ToArbitrary(),
            AnyPlace.ToArbitrary(),
            Gen.SubListOf(Enum.GetValues<LoadBalancerScope>()).SelectMany(s => Gen.Shuffle(s.ToArray())).Zip(Gen.Elements(Enum.GetValues<LoadBalancerMode>())).ToArbitrary(),
            (places, source, preference) =>
            {
                var (scopes, mode) = preference;
                var pods = places.Select((p, i) => Near($"p{i}") with { Network = p.Network, ClusterId = p.ClusterId, Node = p.Node, Locality = p.Locality }).ToArray();
                var entry = Entry(new() { Mode = mode, RoutingPreferences = scopes.ToValueList() }, pods);

                var names = EndpointSelection.Preferred(entry, source, 80, SelectionPurpose.Traffic).Select(c => c.Workload.Name).Order(StringComparer.Ordinal);

                Assert.Equal(Slow(pods, source, scopes, mode).Order(StringComparer.Ordinal), names);
            });

    private static IEnumerable<string> Slow(Workload[] pods, SelectionSource source, LoadBalancerScope[] scopes, LoadBalancerMode mode)
    {
        if (mode is LoadBalancerMode.Standard or LoadBalancerMode.Passthrough)
            return pods.Select(p => p.Name);
        bool Same(LoadBalancerScope scope, Workload p) => scope switch
        {
            LoadBalancerScope.Region => source.Locality.Region == p.Locality.Region,
            LoadBalancerScope.Zone => source.Locality.Zone == p.Locality.Zone,
            LoadBalancerScope.Subzone => source.Locality.Subzone == p.Locality.Subzone,
            LoadBalancerScope.Node => source.Node == p.Node,
            LoadBalancerScope.Cluster => source.ClusterId == p.ClusterId,
            _ => source.Network == p.Network,
        };
        int Score(Workload p)
        {
            var leading = scopes is [LoadBalancerScope.Network, ..];
            var local = leading && Same(scopes[0], p);
            return (local ? scopes.Length : 0) + scopes.Skip(leading ? 1 : 0).TakeWhile(s => Same(s, p)).Count();
        }

        var allowed = mode == LoadBalancerMode.Strict ? pods.Where(p => scopes.All(s => Same(s, p))).ToArray() : pods;
        return allowed.GroupBy(Score).OrderByDescending(g => g.Key).FirstOrDefault()?.Select(p => p.Name) ?? [];
    }

    private static Gen<SelectionSource> AnyPlace =>
        from names in Gen.Elements("a", "b").ArrayOf(6)
        select new SelectionSource(names[0], names[1], names[2], new(names[3], names[4], names[5]));

    private static LoadBalancer Balancer(LoadBalancerMode mode, params LoadBalancerScope[] scopes) => new() { Mode = mode, RoutingPreferences = scopes.ToValueList() };

    private static Workload Near(string name) =>
        Pod(name, services: Host) with { Uid = name, Network = "net1", ClusterId = "c1", Node = "n1", Locality = new("region", "zone", "subzone") };

    private static Workload Far(string name) => Near(name) with { Network = "net2", ClusterId = "c2", Node = "n2", Locality = new("r2", "z2", "s2") };

    private static MeshSnapshot Snapshot(LoadBalancer? balancer, params Workload[] workloads) =>
        MeshSnapshot.Empty().With([Service("echo.example") with { LoadBalancer = balancer }, .. workloads]);

    private static ServiceEndpoints Entry(LoadBalancer? balancer, params Workload[] workloads) => Snapshot(balancer, workloads).FindEndpoints(Key(Host))!;

    private static string[] Names(LoadBalancer? balancer, params Workload[] workloads) =>
        [.. EndpointSelection.Preferred(Entry(balancer, workloads), Here, 80, SelectionPurpose.Traffic).Select(c => c.Workload.Name).Order(StringComparer.Ordinal)];

    private static string? Pick(MeshSnapshot snapshot) =>
        EndpointSelection.Select(snapshot.FindEndpoints(Key(Host))!, Here, 80, SelectionPurpose.Traffic, new Random(1))?.Workload.Name;
}
