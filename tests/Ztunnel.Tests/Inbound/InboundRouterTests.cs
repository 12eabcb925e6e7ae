using System.Net;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Inbound;

namespace Mesh.Ztunnel.Tests.Inbound;

/// <summary>What a CONNECT may reach through the pod that received it.</summary>
public sealed class InboundRouterTests
{
    private static readonly Workload Server = MeshWorld.Hbone("server", "127.0.0.2") with { Services = [MeshWorld.In("ns1/svc.ns1.svc.cluster.local", (80, 8080))] };

    private static readonly Service Svc = MeshWorld.Service("svc", "127.0.0.3", (80, 8080));

    private static InboundDecision Decide(MeshWorld world, Workload local, string authority)
    {
        Assert.True(Authority.TryParse(authority, out var parsed));
        return InboundRouter.Decide(world.With(local).Snapshot(), local, local.Addresses[0], parsed, port => port is 15001 or 15006 or 15008, localhostAppTunnel: true);
    }

    [Fact]
    public void OwnAddress_IsServedOnTheNamedPort() =>
        Assert.Equal("127.0.0.2:8080", Decide(new MeshWorld(), Server, "127.0.0.2:8080").Route!.Target.ToString());

    [Fact]
    public void AddressOfAnotherPod_IsABadRequest()
    {
        var decision = Decide(new MeshWorld().With(MeshWorld.Hbone("other", "127.0.0.9")), Server, "127.0.0.9:8080");
        Assert.Equal((400, "ip mismatch: 127.0.0.2 != 127.0.0.9", Ending.BadDestination), (decision.Status, decision.Failure.Text, decision.Failure.Ending));
    }

    [Theory]
    [InlineData(15001)]
    [InlineData(15006)]
    [InlineData(15008)]
    public void OwnProxyPort_IsUnavailable(int port)
    {
        var decision = Decide(new MeshWorld(), Server, $"127.0.0.2:{port}");
        Assert.Equal((503, Ending.SelfCall), (decision.Status, decision.Failure.Ending));
    }

    [Fact]
    public void ServiceHostname_IsMappedToThePortOfThisEndpoint()
    {
        Assert.Equal("127.0.0.2:8080", Decide(new MeshWorld().With(Svc), Server, "svc.ns1.svc.cluster.local:80").Route!.Target.ToString());
        var named = Server with { Services = [MeshWorld.In("ns1/svc.ns1.svc.cluster.local", (80, 9090))] };
        Assert.Equal("127.0.0.2:9090", Decide(new MeshWorld().With(Svc with { Ports = MeshWorld.Ports((80, 0)) }), named, "svc.ns1.svc.cluster.local:80").Route!.Target.ToString());
    }

    [Theory]
    [InlineData("nosuch.ns1.svc.cluster.local:80")]
    [InlineData("svc.ns1.svc.cluster.local:81")]
    public void ServiceHostname_UnknownOrWithoutThatPort_IsUnavailable(string authority) =>
        Assert.Equal(503, Decide(new MeshWorld().With(Svc), Server, authority).Status);

    [Fact]
    public void WorkloadBehindUs_MayBeNamed_WhenWeAreItsWaypoint()
    {
        var waypoint = MeshWorld.Hbone("wp", "127.0.0.10");
        var world = new MeshWorld().With(MeshWorld.Hbone("b", "127.0.0.5") with { Waypoint = MeshWorld.By("/127.0.0.10") });
        Assert.Equal("127.0.0.10:8080", Decide(world, waypoint, "127.0.0.5:8080").Route!.Target.ToString());
    }

    [Fact]
    public void ServiceBehindUs_MayBeNamed_WhenWeAreItsWaypoint_ByEndpointOfTheWaypointService()
    {
        var waypoint = MeshWorld.Hbone("wp", "127.0.0.10") with { Services = [MeshWorld.In("ns1/wps.ns1.svc.cluster.local", (15008, 15008))] };
        var world = new MeshWorld().With(Svc with { Waypoint = MeshWorld.ByHost("ns1/wps.ns1.svc.cluster.local") }, MeshWorld.Service("wps", "127.0.0.11", (15008, 15008)));
        Assert.Equal(200, Decide(world, waypoint, "127.0.0.3:80").Status);
    }

    [Fact]
    public void WorkloadBehindUs_IsABadRequest_WhenOnlyItsServiceHasUsAsWaypoint()
    {
        var waypoint = MeshWorld.Hbone("wp", "127.0.0.10");
        var world = new MeshWorld().With(Server).With(Svc with { Waypoint = MeshWorld.By("/127.0.0.10") });
        Assert.Equal(400, Decide(world, waypoint, "127.0.0.2:8080").Status);
        Assert.Equal(200, Decide(world, waypoint, "127.0.0.3:80").Status);
    }

    [Fact]
    public void ApplicationTunnel_TakesAnyAddressOnItsPort_AndProxyNamesTheTarget()
    {
        var waypoint = MeshWorld.Hbone("wp", "127.0.0.10") with { ApplicationTunnel = new ApplicationTunnel(ApplicationTunnelProtocol.Proxy, 15088) };
        var route = Decide(new MeshWorld().With(Svc), waypoint, "127.0.0.3:80").Route!;
        Assert.Equal(("127.0.0.10:15088", "127.0.0.3:80", true), (route.Target.ToString(), route.ProxyTarget!.ToString(), route.ToLoopback));
        var byName = Decide(new MeshWorld().With(Svc), waypoint, "svc.ns1.svc.cluster.local:80").Route!;
        Assert.Equal("127.0.0.3:80", byName.ProxyTarget!.ToString());
        var plain = Decide(new MeshWorld().With(Svc), waypoint with { ApplicationTunnel = new ApplicationTunnel(ApplicationTunnelProtocol.None, 15088) }, "127.0.0.3:80").Route!;
        Assert.Equal(("127.0.0.10:15088", null, false), (plain.Target.ToString(), plain.ProxyTarget, plain.ToLoopback));
    }

    [Theory]
    [InlineData("127.0.0.2:80", true)]
    [InlineData("[::1]:80", true)]
    [InlineData("host:80", true)]
    [InlineData(":80", true)]
    [InlineData("*:80", true)]
    [InlineData("user@127.0.0.2:80", true)]
    [InlineData("127.0.0.2", false)]
    [InlineData("127.0.0.2:99999", false)]
    [InlineData("::1:80", false)]
    [InlineData("[::1:80", false)]
    [InlineData("", false)]
    public void Authority_NeedsAPort_AndTakesTheRestForANameWhenItIsNoAddress(string text, bool valid) =>
        Assert.Equal(valid, Authority.TryParse(text, out _));

    [Fact]
    public void ServiceGuess_PrefersTheForwardedHost_ThenThePort()
    {
        var server = Server with { Services = [MeshWorld.In("ns1/svc.ns1.svc.cluster.local", (80, 8080)), MeshWorld.In("ns1/two.ns1.svc.cluster.local", (80, 8080))] };
        var mesh = new MeshWorld().With(server).With(Svc, MeshWorld.Service("two", "127.0.0.4", (80, 8080))).Snapshot();
        Assert.Equal("two", InboundRouter.GuessService(mesh, server, "two.ns1.svc.cluster.local", 8080)!.Name);
        Assert.Equal("svc", InboundRouter.GuessService(mesh, server, null, 8080)!.Name);
        Assert.Null(InboundRouter.GuessService(mesh, server, null, 9999));
    }
}
