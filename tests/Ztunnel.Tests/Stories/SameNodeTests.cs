using System.Net.Sockets;
using Mesh.Model;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Tests.Stories;

/// <summary>The short way between two pods of one node: no tunnel, and nothing else is missing.</summary>
public sealed class SameNodeTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static Task<StoryRig> StartAsync(Func<StoryRig, MeshUpdate>? world = null) => StoryRig.StartAsync(world, ("ZTUNNEL_SAME_NODE_FAST_PATH", "true"));

    private static async Task<bool> IsClosedAsync(Socket socket)
    {
        try
        {
            return await socket.ReceiveAsync(new byte[1]).WaitAsync(Patience) == 0;
        }
        catch (SocketException)
        {
            return true;
        }
    }

    private static Task<int> TunnelsAsync(StoryRig rig) => rig.Loop.InvokeAsync(() => rig.ClientLane.Pool.ConnectionCount);

    private static DecisionRecord Record(StoryRig rig, bool outbound) => rig.ClientLane.Telemetry.Decisions!.Newest().First(d => d.IsOutbound == outbound);

    [Fact]
    public async Task Bytes_ArriveWithoutATunnel_AndBothSidesTellIdentitiesAndTrace()
    {
        await using var rig = await StartAsync(r => r.World(StoryRig.Allow(r.Client.Identity.Principal)));
        using (var socket = await rig.ConnectAsync())
        {
            Assert.Equal("hello", await StoryRig.ExchangeAsync(socket, "hello").WaitAsync(Patience));
            Assert.Equal((1, 1), await rig.Loop.InvokeAsync(() => (rig.ClientLane.Outbound.Count, rig.ServerLane.Inbound.Count)));
        }
        var outbound = await rig.LineAsync("outbound").WaitAsync(Patience);
        var inbound = await rig.LineAsync("inbound").WaitAsync(Patience);
        foreach (var line in new[] { outbound, inbound })
        {
            Assert.Equal(rig.Client.Identity.ToString(), line.GetProperty("src.identity").GetString());
            Assert.Equal(rig.Server.Identity.ToString(), line.GetProperty("dst.identity").GetString());
            Assert.Equal((5, 5), (line.GetProperty("bytes_sent").GetInt32(), line.GetProperty("bytes_recv").GetInt32()));
            Assert.Equal("ok", line.GetProperty("ending").GetString());
        }
        Assert.Equal(outbound.GetProperty("trace_id").GetString(), inbound.GetProperty("trace_id").GetString());
        Assert.Equal(0, await TunnelsAsync(rig));
        Assert.Equal("same_node", Record(rig, outbound: true).Context!.Route);
        Assert.Equal("allowed by: ns1/allow", Record(rig, outbound: false).Verdict.Text);
        Assert.Equal((0, 0), await rig.Loop.InvokeAsync(() => (rig.ClientLane.Outbound.Count, rig.ServerLane.Inbound.Count)));
    }

    [Fact]
    public async Task SettingThatIsOff_MeansATunnel()
    {
        await using var rig = await StoryRig.StartAsync();
        using var socket = await rig.ConnectAsync();
        Assert.Equal("hello", await StoryRig.ExchangeAsync(socket, "hello").WaitAsync(Patience));
        Assert.Equal(1, await TunnelsAsync(rig));
    }

    [Fact]
    public async Task Policy_RefusesHereToo_AndTheClientsSideHearsTheKindOnly()
    {
        await using var rig = await StartAsync(r => r.World(StoryRig.Allow("cluster.local/ns/ns1/sa/nobody")));
        using var socket = await rig.ConnectAsync();
        Assert.True(await IsClosedAsync(socket));
        var inbound = await rig.LineAsync("inbound").WaitAsync(Patience);
        Assert.Equal("no_policy_matched", inbound.GetProperty("ending").GetString());
        Assert.Contains("ns1/allow", inbound.GetProperty("policies").GetString(), StringComparison.Ordinal);
        var outbound = await rig.LineAsync("outbound").WaitAsync(Patience);
        Assert.Equal(("tunnel_refused", "refused on this node (no_policy_matched)"), (outbound.GetProperty("ending").GetString(), outbound.GetProperty("error").GetString()));
        Assert.Equal("no_policy_matched", Record(rig, outbound: true).PeerReason);
    }

    [Fact]
    public async Task LaterPolicy_CutsIt_OnBothSides()
    {
        await using var rig = await StartAsync();
        using var socket = await rig.ConnectAsync();
        await StoryRig.ExchangeAsync(socket, "hello").WaitAsync(Patience);
        var deny = StoryRig.Deny(rig.Application.Port);
        rig.Mesh.Apply(builder => builder.Apply(new MeshUpdate { Policies = { KeyValuePair.Create(deny.QualifiedName, deny) } }));
        Assert.Equal(1, await rig.Loop.InvokeAsync(() => rig.ServerLane.Inbound.Reevaluate(rig.Mesh.Current, rig.Server)));
        Assert.True(await IsClosedAsync(socket));
        Assert.Equal("policy_changed", (await rig.LineAsync("inbound").WaitAsync(Patience)).GetProperty("ending").GetString());
        Assert.Equal("policy_changed", (await rig.LineAsync("outbound").WaitAsync(Patience)).GetProperty("ending").GetString());
    }

    [Fact]
    public async Task WithoutCertificates_NobodyIsAnybody()
    {
        await using var rig = await StartAsync();
        rig.AuthorityError = "permission denied for this node";
        using var socket = await rig.ConnectAsync();
        Assert.True(await IsClosedAsync(socket));
        var line = await rig.LineAsync("outbound").WaitAsync(Patience);
        Assert.Equal("identity_not_issued", line.GetProperty("ending").GetString());
        Assert.Contains("permission denied for this node", line.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ClosedPort_IsRefused()
    {
        await using var rig = await StartAsync();
        using var socket = await rig.ConnectAsync(new System.Net.IPEndPoint(rig.Application.Address, 1));
        Assert.True(await IsClosedAsync(socket));
        Assert.Equal("upstream_refused", (await rig.LineAsync("inbound").WaitAsync(Patience)).GetProperty("ending").GetString());
    }
}
