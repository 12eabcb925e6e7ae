using Mesh.Model;
using Mesh.Ztunnel.Inbound;

namespace Mesh.Ztunnel.Tests.Inbound;

/// <summary>Whose word about the client counts.</summary>
public sealed class OwnWaypointTests
{
    private static SpiffeId Id(string account) => SpiffeId.Parse($"spiffe://cluster.local/ns/ns1/sa/{account}");

    [Fact]
    public void Waypoint_OfTheWorkload_IsBelieved_OthersAreNot()
    {
        var server = MeshWorld.Hbone("server", "127.0.0.2") with { Waypoint = MeshWorld.By("/127.0.0.10") };
        var mesh = new MeshWorld().With(server, MeshWorld.Hbone("wp", "127.0.0.10"), MeshWorld.Hbone("other-wp", "127.0.0.12")).Snapshot();
        Assert.True(OwnWaypoint.Is(mesh, server, Id("wp")));
        Assert.False(OwnWaypoint.Is(mesh, server, Id("other-wp")));
        Assert.False(OwnWaypoint.Is(mesh, server, Id("server")));
    }

    [Fact]
    public void Waypoint_OfAServiceOfTheWorkload_IsBelieved_ByEndpointOrSubjectAltName()
    {
        var server = MeshWorld.Hbone("server", "127.0.0.2") with { Services = [MeshWorld.In("ns1/svc.ns1.svc.cluster.local", (80, 8080))] };
        var mesh = new MeshWorld()
            .With(server, MeshWorld.Hbone("wp", "127.0.0.10") with { Services = [MeshWorld.In("ns1/wps.ns1.svc.cluster.local", (15008, 15008))] })
            .With(MeshWorld.Service("svc", "127.0.0.3", (80, 8080)) with { Waypoint = MeshWorld.ByHost("ns1/wps.ns1.svc.cluster.local") },
                MeshWorld.Service("wps", "", (15008, 15008)) with { SubjectAltNames = [Id("named")] })
            .Snapshot();
        Assert.True(OwnWaypoint.Is(mesh, server, Id("wp")));
        Assert.True(OwnWaypoint.Is(mesh, server, Id("named")));
        Assert.False(OwnWaypoint.Is(mesh, server, Id("stranger")));
    }

    [Fact]
    public void Waypoint_OfAServiceTheWorkloadDoesNotBelongTo_IsNotBelieved()
    {
        var server = MeshWorld.Hbone("server", "127.0.0.2");
        var mesh = new MeshWorld()
            .With(server, MeshWorld.Hbone("wp", "127.0.0.10"))
            .With(MeshWorld.Service("svc", "127.0.0.3", (80, 8080)) with { Waypoint = MeshWorld.By("/127.0.0.10") })
            .Snapshot();
        Assert.False(OwnWaypoint.Is(mesh, server, Id("wp")));
    }
}
