using System.Net;
using Mesh.Model.Workloads;
using static Mesh.Model.Tests.TestMesh;

namespace Mesh.Model.Tests;

public sealed class WorkloadStoreTests
{
    private static readonly IPAddress Ip = IPAddress.Parse("10.0.0.1");
    private readonly MeshSnapshot _empty = MeshSnapshot.Empty();

    [Fact]
    public void Workload_UpsertAndRemoval_AreSeenInEveryIndex()
    {
        var first = _empty.With(Pod("a") with { Hostname = "a.example" });
        Assert.Equal("a", first.FindWorkload("", Ip)?.Name);
        Assert.Equal("a", first.FindWorkloadByUid("cluster1//Pod/default/a")?.Name);
        Assert.Equal("a", first.FindWorkloadByHostname(Key("default/a.example"))?.Name);
        Assert.Null(first.FindWorkload("other-network", Ip));

        var moved = first.With(Pod("a", "10.0.0.2"));
        Assert.Null(moved.FindWorkload("", Ip));
        Assert.Equal("a", moved.FindWorkload("", IPAddress.Parse("10.0.0.2"))?.Name);
        Assert.Null(moved.FindWorkloadByHostname(Key("default/a.example")));

        var gone = moved.Without("cluster1//Pod/default/a");
        Assert.Null(gone.FindWorkload("", IPAddress.Parse("10.0.0.2")));
        Assert.Empty(gone.Workloads);
        Assert.NotNull(first.FindWorkload("", Ip)); // who still reads the first snapshot sees the old world
    }

    [Fact]
    public void SharedAddress_PodWithTunnelBeatsPodBeatsTunnelBeatsOther_LastAmongEquals()
    {
        var other = new Workload { Uid = "vm", Name = "other", Addresses = [Ip] };
        var tunnel = other with { Uid = "vm2", Name = "tunnel", Protocol = TunnelProtocol.Hbone };
        var pod = Pod("pod") with { Protocol = TunnelProtocol.Tcp };
        var podTunnel = Pod("pod-tunnel");

        var snapshot = _empty.With(podTunnel, pod, tunnel, other);
        Assert.Equal("pod-tunnel", snapshot.FindWorkload("", Ip)?.Name);
        snapshot = snapshot.Without(podTunnel.Uid);
        Assert.Equal("pod", snapshot.FindWorkload("", Ip)?.Name);
        snapshot = snapshot.Without(pod.Uid);
        Assert.Equal("tunnel", snapshot.FindWorkload("", Ip)?.Name);
        snapshot = snapshot.Without(tunnel.Uid);
        Assert.Equal("other", snapshot.FindWorkload("", Ip)?.Name);

        Assert.Equal("second", _empty.With(Pod("first"), Pod("second")).FindWorkload("", Ip)?.Name);
    }

    [Fact]
    public void HostNetworkWorkload_IsNeverFoundByAddress()
    {
        var snapshot = _empty.With(Pod("node-agent") with { NetworkMode = NetworkMode.HostNetwork });
        Assert.Null(snapshot.FindWorkload("", Ip));
        Assert.NotNull(snapshot.FindWorkloadByUid("cluster1//Pod/default/node-agent"));
        Assert.Empty(snapshot.Without("cluster1//Pod/default/node-agent").Workloads);
    }

    [Fact]
    public void Endpoints_BeforeTheirService_AreStagedAndAttached()
    {
        var staged = _empty.With(Pod("a", services: "default/echo.example"));
        Assert.Single(staged.StagedEndpoints);
        Assert.Null(staged.FindEndpoints(Key("default/echo.example")));

        var attached = staged.With(Service("echo.example"));
        Assert.Empty(attached.StagedEndpoints);
        Assert.Single(attached.FindEndpoints(Key("default/echo.example"))!.Endpoints);

        var left = attached.With(Pod("a"));
        Assert.Empty(left.FindEndpoints(Key("default/echo.example"))!.Endpoints);
    }

    [Fact]
    public void StagedEndpoints_WhenTheWorkloadGoes_GoWithIt()
    {
        var snapshot = _empty.With(Pod("a", services: "default/echo.example")).Without("cluster1//Pod/default/a");
        Assert.Empty(snapshot.StagedEndpoints);
        Assert.Empty(snapshot.With(Service("echo.example")).FindEndpoints(Key("default/echo.example"))!.Endpoints);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void UnhealthyEndpoint_IsLeftOutUnlessTheServiceTakesAll(bool serviceFirst)
    {
        var pod = Pod("a", services: "default/echo.example") with { Status = HealthStatus.Unhealthy };
        var service = Service("echo.example");
        var snapshot = serviceFirst ? _empty.With(service, pod) : _empty.With(pod, service);
        Assert.Empty(snapshot.FindEndpoints(service.Key)!.Endpoints);
        Assert.NotNull(snapshot.FindWorkload("", Ip)); // direct traffic does not ask for health

        // Unlike the Rust agent, which forgets it at once, the endpoint is there again when the policy changes.
        snapshot = snapshot.With(service with { LoadBalancer = new() { HealthPolicy = HealthPolicy.AllowAll } });
        Assert.Single(snapshot.FindEndpoints(service.Key)!.Endpoints);
        snapshot = snapshot.With(service);
        Assert.Empty(snapshot.FindEndpoints(service.Key)!.Endpoints);
        snapshot = snapshot.With(pod with { Status = HealthStatus.Healthy });
        Assert.Single(snapshot.FindEndpoints(service.Key)!.Endpoints);
        snapshot = snapshot.With(pod);
        Assert.Empty(snapshot.FindEndpoints(service.Key)!.Endpoints);
    }

    [Fact]
    public void ServiceRemoved_AndBackAgain_HasItsEndpoints()
    {
        var snapshot = _empty.With(Service("echo.example"), Pod("a", services: "default/echo.example")).Without("default/echo.example");
        Assert.Null(snapshot.FindService(Key("default/echo.example")));
        Assert.Single(snapshot.StagedEndpoints);
        Assert.Single(snapshot.With(Service("echo.example")).FindEndpoints(Key("default/echo.example"))!.Endpoints);
    }

    [Fact]
    public void RemovalName_IsAWorkloadFirstThenAService()
    {
        var snapshot = _empty.With(new Workload { Uid = "default/echo.example" }, Service("echo.example"));
        snapshot = snapshot.Without("default/echo.example");
        Assert.Empty(snapshot.Workloads);
        Assert.Single(snapshot.Services);
        snapshot = snapshot.Without("default/echo.example");
        Assert.Empty(snapshot.Services);

        var builder = new MeshSnapshotBuilder(snapshot.With(Service("a/b")));
        Assert.False(builder.RemoveAddress("default/a/b"));
        Assert.False(builder.RemoveAddress("no-such-name"));
    }

    /// <summary>One pod of a hundred thousand, all under one account and behind one service: its change must not copy the rest.</summary>
    [Fact]
    public void OneChangeInAHugeMesh_CopiesOnlyItsNeighbourhood()
    {
        var update = new MeshUpdate();
        update.Services.Add(Service("echo.example"));
        for (var i = 0; i < 100_000; i++)
            update.Workloads.Add(Pod($"p{i}", $"10.{i >> 16}.{(i >> 8) & 255}.{i & 255}", services: "default/echo.example"));
        var state = new MeshState();
        state.Apply(update);
        var changed = Pod("p5", "10.0.0.5", services: "default/echo.example") with { Status = HealthStatus.Unhealthy };
        state.Apply(b => b.Upsert(changed));

        var before = GC.GetAllocatedBytesForCurrentThread();
        state.Apply(b => b.Upsert(changed with { Status = HealthStatus.Healthy }));
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(100_000, state.Current.Workloads.Count);
        Assert.InRange(allocated, 1, 100 * 1024); // a copy of one index would be megabytes
    }

    [Fact]
    public void LocalWorkload_IsFoundByNamesOnItsNodeOnly()
    {
        var here = Pod("a") with { Node = "n1", ServiceAccount = "sa1" };
        var there = Pod("b", "10.0.0.2") with { Node = "n2", ServiceAccount = "sa1" };
        var snapshot = MeshSnapshot.Empty("n1").With(here, there);

        Assert.Equal(here, snapshot.FindLocalWorkload("default", "a", "sa1"));
        Assert.Null(snapshot.FindLocalWorkload("default", "a", "other"));
        Assert.Null(snapshot.FindLocalWorkload("default", "b", "sa1"));
        Assert.Single(snapshot.LocalWorkloads("default", "sa1"));
        Assert.Equal(there, MeshSnapshot.Empty().With(here, there).FindLocalWorkload("default", "b", "sa1"));
        Assert.Empty(snapshot.Without(here.Uid).LocalWorkloads("default", "sa1"));
    }
}
