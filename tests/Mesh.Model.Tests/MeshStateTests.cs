using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Testing;
using static Mesh.Model.Tests.TestMesh;

namespace Mesh.Model.Tests;

public sealed class MeshStateTests
{
    [Fact]
    public void Batch_ManyEndpointsOfOneService_IsOneChange()
    {
        var state = new MeshState();
        var changes = new List<MeshChange>();
        state.Changed += changes.Add;
        var update = new MeshUpdate();
        update.Services.Add(Service("echo.example"));
        for (var i = 1; i <= 50; i++)
            update.Workloads.Add(Pod($"p{i}", $"10.0.0.{i}", services: "default/echo.example"));

        state.Apply(update);

        Assert.Single(changes);
        Assert.Equal(1, state.Current.Version);
        Assert.Equal(50, state.Current.FindEndpoints(Key("default/echo.example"))!.Members.Count);
        Assert.Equal(50, changes[0].Workloads.Count);
    }

    [Fact]
    public void Batch_UpsertAndRemovalOfOneName_EndsRemoved()
    {
        var state = new MeshState();
        var update = new MeshUpdate();
        update.Workloads.Add(Pod("a"));
        update.RemovedAddresses.Add("cluster1//Pod/default/a");
        state.Apply(update);
        Assert.Empty(state.Current.Workloads);
    }

    [Fact]
    public void Batch_ThatThrows_ChangesNothing()
    {
        var state = new MeshState();
        var before = state.Current;
        Assert.Throws<InvalidOperationException>(() => state.Apply(builder =>
        {
            builder.Upsert(Pod("a"));
            throw new InvalidOperationException();
        }));
        Assert.Same(before, state.Current);
    }

    [Fact]
    public void SameResourcesAgain_AfterAReconnect_ChangeNothing()
    {
        var state = new MeshState("n1");
        state.Apply(World());
        var before = state.Current;
        var changed = false;
        state.Changed += _ => changed = true;

        state.Apply(World());

        Assert.Same(before, state.Current);
        Assert.False(changed);

        static MeshUpdate World()
        {
            var update = new MeshUpdate();
            update.Workloads.Add(Pod("a", services: "default/echo.example") with { Node = "n1" });
            update.Services.Add(Service("echo.example", "default", "/10.1.0.1"));
            update.Policies.Add(new("default/p", APolicy("p", PolicyAction.Allow, matches: new PolicyMatch { Principals = [StringMatch.Presence] })));
            return update;
        }
    }

    [Fact]
    public void LocalWorkloads_ComingAndGoing_AreReported()
    {
        var state = new MeshState("n1");
        var here = Pod("a") with { Node = "n1" };
        var arrived = state.Apply(b => { b.Upsert(here); b.Upsert(Pod("b", "10.0.0.2") with { Node = "n2" }); });
        Assert.Equal([here], arrived.LocalArrived);

        var gone = state.Apply(b => b.RemoveAddress(here.Uid));
        Assert.Equal([here], gone.LocalGone);
        Assert.Empty(gone.After.LocalWorkloads("default", "default"));
    }

    [Fact]
    public async Task WaitFor_WhatIsThere_CompletesAtOnce()
    {
        var state = new MeshState();
        state.Apply(b => b.Upsert(Pod("a")));
        var waiting = Wait(state, new ManualTimeProvider());
        Assert.True(waiting.IsCompleted);
        Assert.NotNull(await waiting);
    }

    [Fact]
    public async Task WaitFor_WhatComesInTime_CompletesWithIt()
    {
        var state = new MeshState();
        var waiting = Wait(state, new ManualTimeProvider());
        state.Apply(b => b.Upsert(Pod("b", "10.0.0.2")));
        Assert.False(waiting.IsCompleted);
        state.Apply(b => b.Upsert(Pod("a")));
        Assert.Equal("a", (await waiting)?.Name);
    }

    [Fact]
    public async Task WaitFor_WhatNeverComes_EndsAtTheDeadline()
    {
        var state = new MeshState();
        var time = new ManualTimeProvider();
        var waiting = Wait(state, time);
        time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.False(waiting.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Null(await waiting);
    }

    private static ValueTask<Workload?> Wait(MeshState state, TimeProvider time) =>
        state.WaitForAsync(s => s.FindWorkloadByUid("cluster1//Pod/default/a"), TimeSpan.FromSeconds(5), time);
}
