using System.Net;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.Transport;

/// <summary>Tunnels and endpoints that come and go while requests are under way.</summary>
public sealed class LifeTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task TunnelConnection_OfACertainAge_IsSentElsewhere_AndItsStreamsFinish()
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var origin = await Origin.StartAsync(async http =>
        {
            await http.Response.WriteAsync("begin");
            await http.Response.Body.FlushAsync();
            if (http.Request.Path == "/held")
                await release.Task;
            await http.Response.WriteAsync("end");
        });
        await using var mesh = await HboneMesh.StartAsync([origin.Port], options: WaypointLimits.Default with { MaxTunnelAge = TimeSpan.FromMilliseconds(100) });
        using var held = mesh.Client();
        using var response = await held.GetAsync("/held", HttpCompletionOption.ResponseHeadersRead);

        // Ages are looked at once a second; then new tunnels need a new connection, while the old one still has its stream.
        using var patience = new CancellationTokenSource(Patience);
        while (await mesh.TunnelConnectionsAsync() < 2)
        {
            using var fresh = mesh.Client();
            Assert.Equal("beginend", await fresh.GetStringAsync("/", patience.Token));
            await Task.Delay(50, patience.Token);
        }

        release.SetResult();
        Assert.Equal("beginend", await response.Content.ReadAsStringAsync(patience.Token));
    }

    [Fact]
    public async Task Announce_SendsTunnelsElsewhere_AndNewOnesAreStillServed()
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var origin = await Origin.StartAsync(async http =>
        {
            if (http.Request.Path == "/held")
                await release.Task;
            await http.Response.WriteAsync("ok");
        });
        await using var mesh = await HboneMesh.StartAsync([origin.Port]);
        using var client = mesh.Client();
        var held = client.GetStringAsync("/held");
        while (mesh.Nodes[0].Connects.IsEmpty)
            await Task.Delay(5);
        await mesh.AnnounceDrainAsync();

        // Until the client has heard of it, its tunnels go over the old connection and are served just so.
        using var patience = new CancellationTokenSource(Patience);
        while (await mesh.TunnelConnectionsAsync() < 2)
        {
            using var fresh = mesh.Client();
            Assert.Equal("ok", await fresh.GetStringAsync("/", patience.Token));
            await Task.Delay(10, patience.Token);
        }

        release.SetResult();
        Assert.Equal("ok", await held.WaitAsync(Patience));

        // At last nothing new is taken, and the entrance is empty when the last stream has ended.
        var empty = await mesh.CloseEntranceAsync();
        client.Dispose();
        await empty.WaitAsync(Patience);
        Assert.Equal(0, await mesh.TunnelConnectionsAsync());
    }

    [Fact]
    public async Task Endpoints_RestartedOneAfterTheOther_UnderLoad_LoseNoRequest()
    {
        var origins = new List<Origin> { await Origin.TextAsync("ok"), await Origin.TextAsync("ok") };
        await using var mesh = await OneService.StartAsync(origins.Select(o => o.Port));
        using var end = new CancellationTokenSource();
        var served = 0;
        var workers = Enumerable.Range(0, 6).Select(_ => Task.Run(async () =>
        {
            while (!end.IsCancellationRequested)
            {
                Assert.Equal("ok", await mesh.TextAsync("/"));
                Interlocked.Increment(ref served);
            }
        })).ToArray();
        for (var round = 0; round < 6; round++)
        {
            // As a rollout does: the new one first, then the old one leaves the endpoints, then it ends.
            var fresh = await Origin.TextAsync("ok");
            var old = origins[0];
            origins = [.. origins.Skip(1), fresh];
            mesh.Apply(origins.Select(o => o.Port).Append(old.Port));
            await ProgressAsync();
            mesh.Apply(origins.Select(o => o.Port));
            await ProgressAsync();
            await old.DisposeAsync();
            await ProgressAsync();
            Assert.True(fresh.Count > 0);
        }

        await end.CancelAsync();
        await Task.WhenAll(workers).WaitAsync(Patience);
        foreach (var origin in origins)
            await origin.DisposeAsync();
        return;

        async Task ProgressAsync()
        {
            var target = Volatile.Read(ref served) + 30;
            using var patience = new CancellationTokenSource(Patience);
            while (Volatile.Read(ref served) < target && !workers.Any(w => w.IsFaulted))
                await Task.Delay(2, patience.Token);
        }
    }

    [Fact]
    public async Task Pools_SurviveAChangeThatDoesNotConcernThem()
    {
        using var origin = RawOrigin.Answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using var mesh = await OneService.StartAsync([origin.Port]);
        Assert.Equal("ok", await mesh.TextAsync("/"));

        // A route, a policy, another cluster, the same again, an endpoint more and less: the connection to this one stays.
        mesh.Apply([origin.Port], OneService.Route());
        Assert.Equal("ok", await mesh.TextAsync("/"));
        mesh.Apply([origin.Port], policies: new V1.RequestPolicy { Name = "p", Namespace = "shop", Authorization = new V1.AuthorizationRules { Rules = { new V1.AuthorizationRule() } } });
        Assert.Equal("ok", await mesh.TextAsync("/"));
        Assert.Empty(mesh.Waypoint.Configuration.ApplyClusters([("other", new V1.Cluster { Name = "other", Namespace = "shop", Hostname = "other", Port = 80 })], []));
        Assert.Equal("ok", await mesh.TextAsync("/"));
        mesh.Apply([origin.Port], cluster: c => c.LoadBalancer = new V1.LoadBalancer { Policy = V1.LoadBalancer.Types.Policy.RoundRobin });
        Assert.Equal("ok", await mesh.TextAsync("/"));
        Assert.Equal(1, origin.Connections);

        // What concerns them replaces them.
        mesh.Apply([origin.Port], cluster: c => c.ConnectionPool = new V1.ConnectionPool { MaxConnections = 1 });
        Assert.Equal("ok", await mesh.TextAsync("/"));
        Assert.Equal(2, origin.Connections);
    }

    [Fact]
    public async Task Ejection_SurvivesAReload_AndABadResourceChangesNothing()
    {
        await using var bad = await Origin.TextAsync("bad", 500);
        await using var good = await Origin.TextAsync("good");
        Action<V1.Cluster> cluster = c =>
        {
            c.LoadBalancer = new V1.LoadBalancer { Policy = V1.LoadBalancer.Types.Policy.RoundRobin };
            c.OutlierDetection = new V1.OutlierDetection { Consecutive5Xx = 5, AlwaysEjectOne = true };
        };
        await using var mesh = await OneService.StartAsync([bad.Port, good.Port], cluster: cluster);

        // Four errors; a reload; the fifth error ejects: the count was kept.
        while (bad.Count < 4)
            await mesh.TextAsync("/");
        mesh.Apply([bad.Port, good.Port], OneService.Route(), cluster);
        for (var i = 0; i < 20; i++)
            await mesh.TextAsync("/");
        Assert.Equal(5, bad.Count);

        // Reloaded again, it is still out; and a resource that cannot be served is refused without touching what serves.
        mesh.Apply([bad.Port, good.Port], cluster: cluster);
        var refused = mesh.Waypoint.Configuration.ApplyServices(
            [("shop/orders", new V1.Service { Name = "orders", Namespace = "shop", Ports = { new V1.ServicePort { Port = 80, HttpRoutes = { new V1.HttpRoute { Matches = { new V1.RouteMatch { Path = new V1.StringMatch { Regex = "(" } } } } } } } })], []);
        Assert.Single(refused);
        for (var i = 0; i < 20; i++)
            Assert.Equal("good", await mesh.TextAsync("/"));
        Assert.Equal(5, bad.Count);
    }
}
