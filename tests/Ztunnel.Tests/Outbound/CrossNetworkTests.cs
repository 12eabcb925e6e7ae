using System.Net;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Outbound;

namespace Mesh.Ztunnel.Tests.Outbound;

/// <summary>Destinations in another network are reached through that network's gateway, and only as a service.</summary>
public sealed class CrossNetworkTests
{
    private static readonly Workload Source = MeshWorld.Hbone("source", "127.0.0.1");

    private static readonly Workload Remote = MeshWorld.Hbone("remote") with
    {
        Network = "remote",
        NetworkGateway = MeshWorld.By("/127.0.0.20", 15009),
        Services = [MeshWorld.In("ns1/svc.ns1.svc.cluster.local", (80, 8080))],
    };

    private static readonly Service Svc = MeshWorld.Service("svc", "127.0.0.3", (80, 8080)) with { SubjectAltNames = [SpiffeId.Parse("spiffe://cluster.local/ns/ns1/sa/remote")] };

    private static OutboundRoute Route(MeshWorld world, string target) =>
        OutboundRouter.Choose(world.With(Source).Snapshot(), "", Source, Source.Addresses[0], new OriginalDestination(IPEndPoint.Parse(target)), new Random(1));

    [Fact]
    public void Endpoint_InAnotherNetwork_GoesThroughItsGateway_WithTheServiceAsAuthority()
    {
        var route = Assert.IsType<OutboundRoute.DoubleTunnel>(Route(new MeshWorld().With(Remote, MeshWorld.Hbone("gateway", "127.0.0.20")).With(Svc), "127.0.0.3:80"));
        Assert.Equal("127.0.0.20:15009", route.Hop.ToString());
        Assert.Equal("svc.ns1.svc.cluster.local:80", route.Authority);
        Assert.Equal(["spiffe://cluster.local/ns/ns1/sa/gateway"], route.Gateway.Select(i => i.ToString()));
        Assert.Equal(["spiffe://cluster.local/ns/ns1/sa/remote"], route.Final.Select(i => i.ToString()));
    }

    [Fact]
    public void Gateway_NamedByHost_IsBalancedAndItsPortMapped()
    {
        var world = new MeshWorld()
            .With(Remote with { NetworkGateway = MeshWorld.ByHost("ns1/gw.ns1.svc.cluster.local", 15009) },
                MeshWorld.Hbone("gateway", "127.0.0.20") with { Services = [MeshWorld.In("ns1/gw.ns1.svc.cluster.local", (15009, 15008))] })
            .With(Svc, MeshWorld.Service("gw", "127.0.0.21", (15009, 15008)));
        Assert.Equal("127.0.0.20:15008", Assert.IsType<OutboundRoute.DoubleTunnel>(Route(world, "127.0.0.3:80")).Hop.ToString());
    }

    [Fact]
    public void Endpoint_InAnotherNetworkWithoutGateway_Refuses()
    {
        var world = new MeshWorld().With(Remote with { NetworkGateway = null, Addresses = [IPAddress.Parse("10.0.0.1")] }).With(Svc);
        Assert.IsType<OutboundRoute.Refuse>(Route(world, "127.0.0.3:80"));
    }

    [Fact]
    public void Failover_PrefersTheOwnNetworkUntilItIsUnhealthy()
    {
        var preferring = Svc with { LoadBalancer = new LoadBalancer { Mode = LoadBalancerMode.Failover, RoutingPreferences = [LoadBalancerScope.Network] } };
        var local = MeshWorld.Hbone("near", "127.0.0.2") with { Services = [MeshWorld.In("ns1/svc.ns1.svc.cluster.local", (80, 8080))] };
        MeshWorld World(HealthStatus status) => new MeshWorld().With(Remote, local with { Status = status }, MeshWorld.Hbone("gateway", "127.0.0.20")).With(preferring);
        Assert.IsType<OutboundRoute.Tunnel>(Route(World(HealthStatus.Healthy), "127.0.0.3:80"));
        Assert.IsType<OutboundRoute.DoubleTunnel>(Route(World(HealthStatus.Unhealthy), "127.0.0.3:80"));
    }

    [Fact]
    public void Waypoint_InAnotherNetwork_IsReachedThroughItsGateway()
    {
        var world = new MeshWorld()
            .With(MeshWorld.Hbone("wp") with { Network = "remote", NetworkGateway = MeshWorld.By("/127.0.0.20", 15009), Services = [MeshWorld.In("ns1/wps.ns1.svc.cluster.local", (15008, 15008))] },
                MeshWorld.Hbone("gateway", "127.0.0.20"))
            .With(Svc with { Waypoint = MeshWorld.ByHost("ns1/wps.ns1.svc.cluster.local") }, MeshWorld.Service("wps", "127.0.0.11", (15008, 15008)));
        var route = Assert.IsType<OutboundRoute.DoubleTunnel>(Route(world, "127.0.0.3:80"));
        Assert.Equal("svc.ns1.svc.cluster.local:80", route.Authority);
    }
}
