using System.Net;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Outbound;

namespace Mesh.Ztunnel.Tests.Outbound;

/// <summary>The decision table of the outbound side: one row per shape of registry.</summary>
public sealed class OutboundRouterTests
{
    private static readonly Workload Source = MeshWorld.Hbone("source", "127.0.0.1");

    private static OutboundRoute Route(MeshWorld world, string target, Workload? source = null, int seed = 1)
    {
        source ??= Source;
        return OutboundRouter.Choose(
            world.With(source).Snapshot(), "", source, source.Addresses[0], new OriginalDestination(IPEndPoint.Parse(target)), new Random(seed));
    }

    private static OutboundRoute.Tunnel Tunnel(OutboundRoute route) => Assert.IsType<OutboundRoute.Tunnel>(route);

    [Fact]
    public void Destination_NotInTheRegistry_PassesThrough()
    {
        var route = Assert.IsType<OutboundRoute.Passthrough>(Route(new MeshWorld(), "1.2.3.4:80"));
        Assert.Equal("1.2.3.4:80", route.Target.ToString());
        Assert.Null(route.Destination);
    }

    [Fact]
    public void Destination_WithoutTunnel_IsDialledDirectly()
    {
        var route = Assert.IsType<OutboundRoute.Direct>(Route(new MeshWorld().With(MeshWorld.Workload("b", "127.0.0.2")), "127.0.0.2:80"));
        Assert.Equal("127.0.0.2:80", route.Hop.ToString());
        Assert.Equal("b", route.Destination!.Name);
    }

    [Theory]
    [InlineData("local-node")]
    [InlineData("remote-node")]
    public void Destination_WithTunnel_IsDialledOn15008_WhateverItsNode(string node)
    {
        var route = Tunnel(Route(new MeshWorld().With(MeshWorld.Hbone("b", "127.0.0.2") with { Node = node }), "127.0.0.2:80"));
        Assert.Equal("127.0.0.2:15008", route.Hop.ToString());
        Assert.Equal("127.0.0.2:80", route.Authority);
        Assert.Equal(["spiffe://cluster.local/ns/ns1/sa/b"], route.Accepted.Select(a => a.ToString()));
    }

    [Fact]
    public void Source_WithAWaypointOfItsOwn_DoesNotUseIt()
    {
        var source = Source with { Waypoint = MeshWorld.By("/127.0.0.10") };
        var world = new MeshWorld().With(MeshWorld.Hbone("b", "127.0.0.2"), MeshWorld.Hbone("wp", "127.0.0.10"));
        Assert.Equal("127.0.0.2:15008", Tunnel(Route(world, "127.0.0.2:80", source)).Hop.ToString());
    }

    [Fact]
    public void WorkloadWaypoint_TakesTraffic_WithTheOriginalDestinationAsAuthority()
    {
        var world = new MeshWorld().With(MeshWorld.Hbone("b", "127.0.0.2") with { Waypoint = MeshWorld.By("/127.0.0.10") }, MeshWorld.Hbone("wp", "127.0.0.10"));
        var route = Tunnel(Route(world, "127.0.0.2:80"));
        Assert.Equal("127.0.0.10:15008", route.Hop.ToString());
        Assert.Equal("127.0.0.2:80", route.Authority);
        Assert.Equal("wp", route.Destination!.Name);
        Assert.Equal(["spiffe://cluster.local/ns/ns1/sa/wp"], route.Accepted.Select(a => a.ToString()));
    }

    [Fact]
    public void WorkloadWaypoint_WithAnotherFamilyThanTheDestination_IsStillUsed()
    {
        var world = new MeshWorld().With(
            MeshWorld.Hbone("b", "127.0.0.2", "::2") with { Waypoint = MeshWorld.By("/127.0.0.10") }, MeshWorld.Hbone("wp", "127.0.0.10", "::10"));
        var route = Tunnel(Route(world, "[::2]:80"));
        Assert.Equal("127.0.0.10:15008", route.Hop.ToString());
        Assert.Equal("[::2]:80", route.Authority);
    }

    [Fact]
    public void WorkloadWaypoint_WhenTheCallerIsThatWaypoint_IsSkipped()
    {
        var waypoint = MeshWorld.Hbone("wp", "127.0.0.10");
        var world = new MeshWorld().With(MeshWorld.Hbone("b", "127.0.0.2") with { Waypoint = MeshWorld.By("/127.0.0.10") });
        Assert.Equal("127.0.0.2:15008", Tunnel(Route(world, "127.0.0.2:80", waypoint)).Hop.ToString());
    }

    [Fact]
    public void WorkloadWaypoint_ThatCannotBeFound_RefusesInsteadOfGoingAroundIt()
    {
        var world = new MeshWorld().With(MeshWorld.Hbone("b", "127.0.0.2") with { Waypoint = MeshWorld.By("/127.0.0.99") });
        Assert.Equal("unknown waypoint: waypoint 127.0.0.99 not found", Assert.IsType<OutboundRoute.Refuse>(Route(world, "127.0.0.2:80")).Failure.Text);
    }

    [Fact]
    public void ServiceWaypoint_ByHostname_TakesServiceTrafficOnly()
    {
        var world = new MeshWorld()
            .With(MeshWorld.Hbone("b", "127.0.0.2") with { Services = [MeshWorld.In("ns1/svc.ns1.svc.cluster.local", (80, 8080))] },
                MeshWorld.Hbone("wp", "127.0.0.10") with { Services = [MeshWorld.In("ns1/wps.ns1.svc.cluster.local", (15008, 15009))] })
            .With(MeshWorld.Service("svc", "127.0.0.3", (80, 8080)) with { Waypoint = MeshWorld.ByHost("ns1/wps.ns1.svc.cluster.local") },
                MeshWorld.Service("wps", "127.0.0.11", (15008, 15009)) with { SubjectAltNames = [SpiffeId.Parse("spiffe://cluster.local/ns/x/sa/extra")] });
        var viaService = Tunnel(Route(world, "127.0.0.3:80"));
        Assert.Equal("127.0.0.10:15009", viaService.Hop.ToString());
        Assert.Equal("127.0.0.3:80", viaService.Authority);
        Assert.Equal("svc", viaService.Service!.Name);
        Assert.Equal(["spiffe://cluster.local/ns/x/sa/extra", "spiffe://cluster.local/ns/ns1/sa/wp"], viaService.Accepted.Select(a => a.ToString()));
        Assert.Equal("127.0.0.2:15008", Tunnel(Route(world, "127.0.0.2:80")).Hop.ToString());
    }

    [Fact]
    public void ServiceWaypoint_ByTheHostnameOfAWorkload_IsThatWorkload()
    {
        var world = new MeshWorld()
            .With(MeshWorld.Hbone("wp", "127.0.0.10") with { Hostname = "wp.example" })
            .With(MeshWorld.Service("svc", "127.0.0.3", (80, 8080)) with { Waypoint = MeshWorld.ByHost("ns1/wp.example") });
        var route = Tunnel(Route(world, "127.0.0.3:80"));
        Assert.Equal(("127.0.0.10:15008", "127.0.0.3:80"), (route.Hop.ToString(), route.Authority));
        Assert.IsType<OutboundRoute.Refuse>(Route(new MeshWorld().With(world.Update.Workloads[0]).With(world.Update.Services[0] with { Waypoint = MeshWorld.ByHost("ns2/wp.example") }), "127.0.0.3:80"));
    }

    [Fact]
    public void Service_WithoutEndpoints_Refuses()
    {
        var route = Assert.IsType<OutboundRoute.Refuse>(Route(new MeshWorld().With(MeshWorld.Service("svc", "127.0.0.3", (80, 8080))), "127.0.0.3:80"));
        Assert.Equal("no healthy upstream: 127.0.0.3:80", route.Failure.Text);
        Assert.Equal(Ending.NoHealthyUpstream, route.Failure.Ending);
    }

    [Fact]
    public void Service_WithANamedPort_PicksTheEndpointThatHasIt()
    {
        var world = new MeshWorld()
            .With(MeshWorld.Hbone("named", "127.0.0.2") with { Services = [MeshWorld.In("ns1/svc.ns1.svc.cluster.local", (80, 9090))] },
                MeshWorld.Hbone("without", "127.0.0.4") with { Services = [MeshWorld.In("ns1/svc.ns1.svc.cluster.local")] })
            .With(MeshWorld.Service("svc", "127.0.0.3", (80, 0)));
        for (var seed = 0; seed < 20; seed++)
            Assert.Equal("127.0.0.2:9090", Tunnel(Route(world, "127.0.0.3:80", seed: seed)).Authority);
    }

    [Fact]
    public void Service_InPassthroughMode_GoesToItsAddress_ButItsWaypointIsStillUsed()
    {
        var balancer = new LoadBalancer { Mode = LoadBalancerMode.Passthrough };
        var service = MeshWorld.Service("svc", "127.0.0.3", (80, 8080)) with { LoadBalancer = balancer };
        Assert.IsType<OutboundRoute.Passthrough>(Route(new MeshWorld().With(service), "127.0.0.3:80"));
        var world = new MeshWorld().With(MeshWorld.Hbone("wp", "127.0.0.10")).With(service with { Waypoint = MeshWorld.By("/127.0.0.10") });
        Assert.Equal("127.0.0.10:15008", Tunnel(Route(world, "127.0.0.3:80")).Hop.ToString());
    }

    [Fact]
    public void HostNetworkWorkload_IsFoundThroughItsService_ButNeverByTheNodeAddress()
    {
        Workload Pod(string name) => MeshWorld.Workload(name, "127.0.0.9") with
        {
            NetworkMode = NetworkMode.HostNetwork,
            Services = name == "host1" ? [MeshWorld.In("ns1/svc.ns1.svc.cluster.local", (80, 8080))] : default,
        };
        var world = new MeshWorld().With(Pod("host1"), Pod("host2")).With(MeshWorld.Service("svc", "127.0.0.3", (80, 8080)));
        var route = Assert.IsType<OutboundRoute.Direct>(Route(world, "127.0.0.3:80"));
        Assert.Equal("host1", route.Destination!.Name);
        Assert.IsType<OutboundRoute.Passthrough>(Route(world, "127.0.0.9:80"));
    }

    [Theory]
    [InlineData(IpFamilies.IPv4, "127.0.0.2:15008")]
    [InlineData(IpFamilies.IPv6, "[::2]:15008")]
    [InlineData(null, "127.0.0.2:15008")]
    public void Service_WithFamilies_RestrictsTheAddressOfTheEndpoint(IpFamilies? families, string hop)
    {
        var world = new MeshWorld()
            .With(MeshWorld.Hbone("b", "127.0.0.2", "::2") with { Services = [MeshWorld.In("ns1/svc.ns1.svc.cluster.local", (80, 8080))] })
            .With(MeshWorld.Service("svc", "127.0.0.3", (80, 8080)) with { IpFamilies = families });
        Assert.Equal(hop, Tunnel(Route(world, "127.0.0.3:80")).Hop.ToString());
    }

    [Fact]
    public void Workload_WithSeveralAddresses_IsDialledAtTheOneThatWasNamed()
    {
        var world = new MeshWorld().With(MeshWorld.Hbone("b", "127.0.0.2", "127.0.0.5"));
        Assert.Equal("127.0.0.5:15008", Tunnel(Route(world, "127.0.0.5:80")).Hop.ToString());
    }

    [Fact]
    public void Workload_WithoutAddress_IsToBeResolvedByName()
    {
        var world = new MeshWorld()
            .With(MeshWorld.Hbone("b") with { Hostname = "b.example", Services = [MeshWorld.In("ns1/svc.ns1.svc.cluster.local", (80, 8080))] })
            .With(MeshWorld.Service("svc", "127.0.0.3", (80, 8080)));
        var route = Tunnel(Route(world, "127.0.0.3:80"));
        Assert.Equal(new NextHop(null, "b.example", 15008), route.Hop);
        Assert.Null(route.Authority);
        Assert.Equal(8080, route.AuthorityPort);
    }

    [Fact]
    public void AddressOfAWorkloadAndOfAService_IsBalanced_ButSkipsTheServiceWaypoint()
    {
        var world = new MeshWorld()
            .With(MeshWorld.Hbone("b", "127.0.0.3"), MeshWorld.Hbone("wp", "127.0.0.10"),
                MeshWorld.Hbone("endpoint", "127.0.0.2") with { Services = [MeshWorld.In("ns1/svc.ns1.svc.cluster.local", (80, 8080))] })
            .With(MeshWorld.Service("svc", "127.0.0.3", (80, 8080)) with { Waypoint = MeshWorld.By("/127.0.0.10") });
        Assert.Equal("127.0.0.2:8080", Tunnel(Route(world, "127.0.0.3:80")).Authority);
    }
}
