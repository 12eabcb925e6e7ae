using System.Buffers;
using System.Net;
using System.Text.Json;
using Mesh.Model;
using Mesh.Runtime.Decisions;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Tests.Stories;

/// <summary>What the ring says of connections afterwards.</summary>
public sealed class DecisionTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static DecisionRing<DecisionRecord> Ring(StoryRig rig) => rig.ClientLane.Telemetry.Decisions!;

    /// <summary>Newest record of a direction, as the page shows it; waits until there are <paramref name="count"/>.</summary>
    private static async Task<JsonElement> RecordAsync(StoryRig rig, bool outbound, int count = 1)
    {
        while (true)
        {
            var records = Ring(rig).Newest().Where(r => r.IsOutbound == outbound).ToList();
            if (records.Count >= count)
            {
                var line = new ArrayBufferWriter<byte>();
                DecisionPage.WriteLine(line, records[0]);
                return JsonDocument.Parse(line.WrittenMemory).RootElement;
            }
            await Task.Delay(10).WaitAsync(Patience);
        }
    }

    private static async Task ExchangeAndCloseAsync(StoryRig rig)
    {
        using var socket = await rig.ConnectAsync();
        Assert.Equal("hello", await StoryRig.ExchangeAsync(socket, "hello").WaitAsync(Patience));
    }

    [Fact]
    public async Task BothHops_SayWhatWasResolved_FromWhichSnapshot_AndShareTheTrace()
    {
        await using var rig = await StoryRig.StartAsync(r => r.World(StoryRig.Allow(r.Client.Identity.Principal)));
        await ExchangeAndCloseAsync(rig);
        var outbound = await RecordAsync(rig, outbound: true).WaitAsync(Patience);
        var inbound = await RecordAsync(rig, outbound: false).WaitAsync(Patience);
        Assert.Equal(outbound.GetProperty("trace_id").GetString(), inbound.GetProperty("trace_id").GetString());
        foreach (var record in new[] { outbound, inbound })
        {
            Assert.Equal("ok", record.GetProperty("ending").GetString());
            Assert.Equal(rig.Mesh.Current.Version, record.GetProperty("snapshot").GetInt64());
            Assert.Equal(rig.Client.Identity.ToString(), record.GetProperty("src.identity").GetString());
            Assert.Equal((5, 5), (record.GetProperty("bytes_forwarded").GetInt32(), record.GetProperty("bytes_returned").GetInt32()));
            foreach (var part in new[] { "decide_ms", "connect_ms", "first_byte_ms", "idle_ms", "total_ms" })
                Assert.True(record.GetProperty(part).GetDouble() >= 0, part);
        }
        Assert.Equal(("tunnel", rig.Application.ToString()), (outbound.GetProperty("route").GetString(), outbound.GetProperty("dst.original").GetString()));
        Assert.Equal("allowed by: ns1/allow", inbound.GetProperty("policy").GetString());
        Assert.False(inbound.TryGetProperty("steps", out _));
    }

    [Fact]
    public async Task SecondConnection_FoundTheTunnel_ThatTheFirstMade()
    {
        await using var rig = await StoryRig.StartAsync();
        await ExchangeAndCloseAsync(rig);
        var first = await RecordAsync(rig, outbound: true).WaitAsync(Patience);
        await ExchangeAndCloseAsync(rig);
        var second = await RecordAsync(rig, outbound: true, count: 2).WaitAsync(Patience);
        Assert.Equal("new", first.GetProperty("tunnel").GetString());
        Assert.True(first.GetProperty("tls_ms").GetDouble() > 0);
        Assert.True(first.GetProperty("connect_ms").GetDouble() >= first.GetProperty("tls_ms").GetDouble());
        Assert.Equal("reused", second.GetProperty("tunnel").GetString());
        Assert.False(second.TryGetProperty("tls_ms", out _));
    }

    [Fact]
    public async Task RefusedConnection_KeepsThePeersReasonAndNotItsPolicies_OnTheClientsSide()
    {
        await using var rig = await StoryRig.StartAsync(r => r.World(StoryRig.Allow("cluster.local/ns/ns1/sa/nobody")));
        using var socket = await rig.ConnectAsync();
        var inbound = await RecordAsync(rig, outbound: false).WaitAsync(Patience);
        var outbound = await RecordAsync(rig, outbound: true).WaitAsync(Patience);
        Assert.Equal("no_policy_matched", inbound.GetProperty("ending").GetString());
        Assert.Contains("principals", Assert.Single(inbound.GetProperty("steps").EnumerateArray()).GetString(), StringComparison.Ordinal);
        Assert.Equal(("tunnel_refused", "no_policy_matched"), (outbound.GetProperty("ending").GetString(), outbound.GetProperty("peer_reason").GetString()));
        Assert.DoesNotContain("nobody", outbound.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("ns1/allow", outbound.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ConnectionCutByALaterPolicy_NamesIt()
    {
        await using var rig = await StoryRig.StartAsync();
        using var socket = await rig.ConnectAsync();
        await StoryRig.ExchangeAsync(socket, "hello").WaitAsync(Patience);
        var deny = StoryRig.Deny(rig.Application.Port);
        rig.Mesh.Apply(builder => builder.Apply(new MeshUpdate { Policies = { KeyValuePair.Create(deny.QualifiedName, deny) } }));
        await rig.Loop.InvokeAsync(() => rig.ServerLane.Inbound.Reevaluate(rig.Mesh.Current, rig.Server));
        var inbound = await RecordAsync(rig, outbound: false).WaitAsync(Patience);
        Assert.Equal(("policy_changed", "explicitly denied by: ns1/deny"), (inbound.GetProperty("ending").GetString(), inbound.GetProperty("policy").GetString()));
        Assert.Equal(rig.Mesh.Current.Version, inbound.GetProperty("snapshot").GetInt64());
        Assert.Contains("ns1/deny", inbound.GetProperty("steps")[0].GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ConnectionThatNobodyAnswers_SaysHowLongItTried()
    {
        await using var rig = await StoryRig.StartAsync();
        using var socket = await rig.ConnectAsync(new IPEndPoint(rig.Application.Address, 1));
        var outbound = await RecordAsync(rig, outbound: true).WaitAsync(Patience);
        Assert.Equal("upstream_refused", outbound.GetProperty("peer_reason").GetString());
        Assert.True(outbound.GetProperty("connect_ms").GetDouble() > 0);
        Assert.False(outbound.TryGetProperty("first_byte_ms", out _));
    }
}
