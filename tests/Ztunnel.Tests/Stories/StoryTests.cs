using System.Net;
using System.Net.Sockets;
using Mesh.Hbone;
using Mesh.Http2;
using Mesh.Model;
using Mesh.Model.Policy;

namespace Mesh.Ztunnel.Tests.Stories;

/// <summary>One captured connection through both stories, and each way in which it can end.</summary>
public sealed class StoryTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

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

    [Fact]
    public async Task Connection_ThatIsAllowed_ReachesTheApplication_AndBothSidesTellTheSameTrace()
    {
        await using var rig = await StoryRig.StartAsync();
        using (var socket = await rig.ConnectAsync())
            Assert.Equal("hello", await StoryRig.ExchangeAsync(socket, "hello").WaitAsync(Patience));
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
    }

    [Fact]
    public async Task Connection_ThatPolicyForbids_IsRefused_AndTheClientsSideKnowsTheKindOfReasonOnly()
    {
        await using var rig = await StoryRig.StartAsync(r => r.World(StoryRig.Deny(r.Application.Port)));
        using var socket = await rig.ConnectAsync();
        Assert.True(await IsClosedAsync(socket));
        var inbound = await rig.LineAsync("inbound").WaitAsync(Patience);
        Assert.Equal("connection closed due to policy rejection: explicitly denied by: ns1/deny", inbound.GetProperty("error").GetString());
        var outbound = await rig.LineAsync("outbound").WaitAsync(Patience);
        Assert.Equal("http status: 401 (denied_by_policy)", outbound.GetProperty("error").GetString());
        Assert.Equal("tunnel_refused", outbound.GetProperty("ending").GetString());
    }

    [Fact]
    public async Task OpenConnection_ThatALaterPolicyForbids_IsCut()
    {
        await using var rig = await StoryRig.StartAsync();
        using var socket = await rig.ConnectAsync();
        await StoryRig.ExchangeAsync(socket, "hello").WaitAsync(Patience);
        rig.Mesh.Apply(rig.World(StoryRig.Deny(rig.Application.Port)));
        Assert.Equal(1, await rig.Loop.InvokeAsync(() => rig.ServerLane.Inbound.Reevaluate(rig.Mesh.Current, rig.Server)));
        Assert.True(await IsClosedAsync(socket));
        var inbound = await rig.LineAsync("inbound").WaitAsync(Patience);
        Assert.Equal(("policy_changed", "connection closed due to policy change"), (inbound.GetProperty("ending").GetString(), inbound.GetProperty("error").GetString()));
    }

    [Fact]
    public async Task OpenConnection_ToAPodThatGetsASelectorPolicy_IsCut()
    {
        var denyAll = StoryRig.Policy("picky", PolicyAction.Deny, new PolicyMatch { NotNamespaces = [StringMatch.Exact("nobody")] }, PolicyScope.WorkloadSelector);
        await using var rig = await StoryRig.StartAsync(r => r.World(denyAll));
        using var socket = await rig.ConnectAsync();
        await StoryRig.ExchangeAsync(socket, "hello").WaitAsync(Patience);
        var selected = rig.Server with { AuthorizationPolicies = ["ns1/picky"] };
        rig.Mesh.Apply(builder => builder.Upsert(selected));
        Assert.Equal(1, await rig.Loop.InvokeAsync(() => rig.ServerLane.Inbound.Reevaluate(rig.Mesh.Current, selected)));
        Assert.True(await IsClosedAsync(socket));
    }

    [Fact]
    public async Task Connection_WithoutOwnCertificate_EndsAsIdentityNotIssued_WithTheAuthoritysWord()
    {
        await using var rig = await StoryRig.StartAsync();
        rig.AuthorityError = "permission denied for this node";
        using var socket = await rig.ConnectAsync();
        Assert.True(await IsClosedAsync(socket));
        var line = await rig.LineAsync("outbound").WaitAsync(Patience);
        Assert.Equal("identity_not_issued", line.GetProperty("ending").GetString());
        Assert.Contains("permission denied for this node", line.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connection_ToAClosedPort_IsRefusedOnBothSides()
    {
        await using var rig = await StoryRig.StartAsync();
        using var socket = await rig.ConnectAsync(new IPEndPoint(rig.Application.Address, 1));
        Assert.True(await IsClosedAsync(socket));
        Assert.Equal("upstream_refused", (await rig.LineAsync("inbound").WaitAsync(Patience)).GetProperty("ending").GetString());
        Assert.Equal("http status: 503 (upstream_refused)", (await rig.LineAsync("outbound").WaitAsync(Patience)).GetProperty("error").GetString());
    }

    [Fact]
    public async Task Connection_WhoseRegistryNamesAnotherIdentity_IsNotMade()
    {
        await using var rig = await StoryRig.StartAsync();
        // The registry as the client's side sees it changes; the server goes on with its own certificate.
        var renamed = rig.Server with { Uid = "renamed", Name = "renamed", ServiceAccount = "somebody-else" };
        rig.Mesh.Apply(builder => builder.Upsert(renamed));
        using var socket = await rig.ConnectAsync();
        Assert.True(await IsClosedAsync(socket));
        var line = await rig.LineAsync("outbound").WaitAsync(Patience);
        Assert.Equal("peer_identity_mismatch", line.GetProperty("ending").GetString());
        Assert.Equal(0, line.GetProperty("bytes_sent").GetInt32());
    }

    [Fact]
    public async Task Connection_ToAnAddressNobodyKnows_PassesThroughInPlain()
    {
        await using var rig = await StoryRig.StartAsync();
        var outside = new TcpListener(IPAddress.Parse($"{rig.Prefix}.77"), 0);
        outside.Start();
        using var socket = await rig.ConnectAsync((IPEndPoint)outside.LocalEndpoint);
        using (var accepted = await outside.AcceptSocketAsync().WaitAsync(Patience))
        {
            await socket.SendAsync("plain"u8.ToArray());
            var buffer = new byte[5];
            Assert.Equal(5, await accepted.ReceiveAsync(buffer).WaitAsync(Patience));
        }
        socket.Shutdown(SocketShutdown.Both);
        var line = await rig.LineAsync("outbound").WaitAsync(Patience);
        Assert.False(line.TryGetProperty("src.identity", out _));
        Assert.Equal(5, line.GetProperty("bytes_sent").GetInt32());
        outside.Stop();
    }

    [Fact]
    public async Task ClientStatedByTheOwnWaypoint_Counts_AndBothIdentitiesAreLogged()
    {
        await using var rig = await StoryRig.StartAsync(r =>
        {
            var world = r.World(StoryRig.Allow(r.Client.Identity.Principal));
            world.Workloads[1] = r.Server with { Waypoint = Mesh.Model.Workloads.GatewayAddress.ByAddress(new NetworkAddress("", r.Waypoint.Addresses[0]), 15008) };
            return world;
        });
        var result = await rig.ConnectRawAsync(rig.Waypoint, new HeaderField(HboneHeaders.ClientPrincipal, rig.Client.Identity.ToString())).WaitAsync(Patience);
        Assert.True(result.IsOpen, result.Error);
        await rig.Loop.InvokeAsync(() =>
        {
            result.Tunnel!.Reset(Http2ErrorCode.CANCEL);
            return true;
        });
        var line = await rig.LineAsync("inbound").WaitAsync(Patience);
        Assert.Equal(rig.Waypoint.Identity.ToString(), line.GetProperty("src.identity").GetString());
        Assert.Equal(rig.Client.Identity.ToString(), line.GetProperty("src.client_identity").GetString());
    }

    [Fact]
    public async Task ClientStatedByAnybodyElse_IsIgnored()
    {
        await using var rig = await StoryRig.StartAsync(r => r.World(StoryRig.Allow(r.Client.Identity.Principal)));
        var result = await rig.ConnectRawAsync(rig.Waypoint, new HeaderField(HboneHeaders.ClientPrincipal, rig.Client.Identity.ToString())).WaitAsync(Patience);
        Assert.Equal((401, "no_policy_matched"), (result.Status, result.Headers!.Get(HboneHeaders.Reason)));
        var line = await rig.LineAsync("inbound").WaitAsync(Patience);
        Assert.False(line.TryGetProperty("src.client_identity", out _));
        Assert.Equal("no_policy_matched", line.GetProperty("ending").GetString());
    }

    [Fact]
    public async Task NegativeMatch_SeesBothIdentities_OfAConnectionThroughTheWaypoint()
    {
        // DENY notPrincipals [client]: through the waypoint the client is one of the two, so nothing is denied.
        var policy = StoryRig.Policy("only-client", PolicyAction.Deny, new PolicyMatch { NotPrincipals = [StringMatch.Suffix("/sa/client")] });
        await using var rig = await StoryRig.StartAsync(r =>
        {
            var world = r.World(policy);
            world.Workloads[1] = r.Server with { Waypoint = Mesh.Model.Workloads.GatewayAddress.ByAddress(new NetworkAddress("", r.Waypoint.Addresses[0]), 15008) };
            return world;
        });
        var stated = await rig.ConnectRawAsync(rig.Waypoint, new HeaderField(HboneHeaders.ClientPrincipal, rig.Client.Identity.ToString())).WaitAsync(Patience);
        Assert.True(stated.IsOpen, stated.Error);
        Assert.Equal(401, (await rig.ConnectRawAsync(rig.Waypoint).WaitAsync(Patience)).Status);
    }

    [Fact]
    public async Task PolicyThatArrivesAfterTheRecordThatNamesIt_IsWaitedFor()
    {
        var denyAll = StoryRig.Policy("late", PolicyAction.Deny, new PolicyMatch { NotNamespaces = [StringMatch.Exact("nobody")] }, PolicyScope.WorkloadSelector);
        await using var rig = await StoryRig.StartAsync(r =>
        {
            var world = r.World();
            world.Workloads[1] = r.Server with { AuthorizationPolicies = ["ns1/late"] };
            return world;
        });
        using var socket = await rig.ConnectAsync();
        // The connection has come to the destination's side and waits there.
        while (await rig.Loop.InvokeAsync(() => rig.ServerLane.Inbound.Count) == 0 && !rig.ServerLane.Telemetry.Decisions!.Newest().Any())
            await Task.Delay(1).WaitAsync(Patience);
        rig.Mesh.Apply(builder => builder.Apply(new MeshUpdate { Policies = { KeyValuePair.Create(denyAll.QualifiedName, denyAll) } }));
        Assert.True(await IsClosedAsync(socket));
        Assert.Equal("denied_by_policy", (await rig.LineAsync("inbound").WaitAsync(Patience)).GetProperty("ending").GetString());
    }

    [Fact]
    public async Task PolicyThatNeverArrives_IsWaitedForOnce_AndThenPassedOver()
    {
        await using var rig = await StoryRig.StartAsync(r =>
        {
            var world = r.World();
            world.Workloads[1] = r.Server with { AuthorizationPolicies = ["ns1/gone"] };
            return world;
        });
        for (var i = 0; i < 2; i++)
        {
            using var socket = await rig.ConnectAsync();
            Assert.Equal("hello", await StoryRig.ExchangeAsync(socket, "hello").WaitAsync(Patience));
        }
    }

    [Fact]
    public async Task PolicyThatNeverArrives_IsARefusalThatNamesIt_WhereTheOperatorSaysSo()
    {
        await using var rig = await StoryRig.StartAsync(
            r =>
            {
                var world = r.World();
                world.Workloads[1] = r.Server with { AuthorizationPolicies = ["ns1/gone"] };
                return world;
            },
            ("ZTUNNEL_UNKNOWN_POLICY", "deny"));
        using var socket = await rig.ConnectAsync();
        Assert.True(await IsClosedAsync(socket));
        var line = await rig.LineAsync("inbound").WaitAsync(Patience);
        Assert.Equal("denied_by_policy", line.GetProperty("ending").GetString());
        Assert.Contains("ns1/gone", line.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal("tunnel_refused", (await rig.LineAsync("outbound").WaitAsync(Patience)).GetProperty("ending").GetString());
    }

    [Fact]
    public async Task Refusal_LeavesARecordThatNamesEachPolicyTried()
    {
        await using var rig = await StoryRig.StartAsync(r => r.World(StoryRig.Allow("cluster.local/ns/ns1/sa/nobody")));
        using var socket = await rig.ConnectAsync();
        Assert.True(await IsClosedAsync(socket));
        await rig.LineAsync("inbound").WaitAsync(Patience);
        var record = rig.ServerLane.Telemetry.Decisions!.Newest().First(d => !d.IsOutbound);
        Assert.Equal(Ending.NoPolicyMatched, record.How);
        var step = Assert.Single(record.Verdict.Steps!);
        Assert.Contains("ns1/allow", step, StringComparison.Ordinal);
        Assert.Contains("did not match", step, StringComparison.Ordinal);
    }
}
