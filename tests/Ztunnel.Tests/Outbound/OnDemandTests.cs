using System.Net;
using Mesh.Model;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.Tests.Outbound;

/// <summary>What a connection asks the control plane for before it is routed.</summary>
public sealed class OnDemandTests
{
    private readonly MeshState _mesh = new("local-node");
    private readonly List<string> _asked = [];

    private OnDemand Asking(params MeshWorld[] answers)
    {
        var next = new Queue<MeshWorld>(answers);
        return new OnDemand(
            _mesh,
            name =>
            {
                _asked.Add(name);
                if (next.TryDequeue(out var world))
                    _mesh.Apply(world.Update);
                return Task.CompletedTask;
            },
            TimeProvider.System);
    }

    [Fact]
    public async Task UnknownDestination_IsAskedForByNetworkAndAddress()
    {
        await Asking().EnsureDestinationAsync("", IPAddress.Parse("10.0.0.1"));
        Assert.Equal(["/10.0.0.1"], _asked);
    }

    [Fact]
    public async Task KnownDestination_IsNotAskedFor()
    {
        _mesh.Apply(new MeshWorld().With(MeshWorld.Hbone("b", "10.0.0.1")).Update);
        await Asking().EnsureDestinationAsync("", IPAddress.Parse("10.0.0.1"));
        await Asking().EnsureWorkloadAsync("cluster1//Pod/ns1/b");
        Assert.Empty(_asked);
    }

    [Fact]
    public async Task WaypointOfTheDestination_IsAskedForNext()
    {
        var service = MeshWorld.Service("svc", "10.0.0.1", (80, 80)) with { Waypoint = MeshWorld.ByHost("ns1/waypoint.example") };
        await Asking(new MeshWorld().With(service)).EnsureDestinationAsync("", IPAddress.Parse("10.0.0.1"));
        Assert.Equal(["/10.0.0.1", "ns1/waypoint.example"], _asked);
    }

    [Fact]
    public async Task OwnRecord_IsAskedForByItsUid()
    {
        await Asking().EnsureWorkloadAsync("cluster1//Pod/ns1/me");
        Assert.Equal(["cluster1//Pod/ns1/me"], _asked);
    }
}
