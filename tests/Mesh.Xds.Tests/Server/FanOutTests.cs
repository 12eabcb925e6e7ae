using Envoy.Service.Discovery.V3;
using Mesh.Testing;
using Mesh.Xds.Server;

namespace Mesh.Xds.Tests.Server;

/// <summary>Many streams of one table: what they share, and that none of them waits for another.</summary>
public sealed class FanOutTests
{
    private const string Type = XdsTypeUrls.Address;
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);
    private readonly XdsResourceTable _table = new(Type);

    [Fact]
    public async Task Change_IsEncodedOnceForAllStreams()
    {
        Publish("a", 1);
        var server = new DeltaXdsServer([_table]);
        await using var first = new InMemoryXdsClient(server, Type);
        await using var second = new InMemoryXdsClient(server, Type);
        await StartAsync(first, second);
        Publish("a", 2);
        Assert.True(await first.UntilResponsesAsync(2));
        Assert.True(await second.UntilResponsesAsync(2));
        Assert.Same(first.Received[1], second.Received[1]);
    }

    [Fact]
    public async Task FiveThousandStreams_EachGetTheChangeOnce()
    {
        var server = new DeltaXdsServer([_table]);
        var clients = Enumerable.Range(0, 5000).Select(_ => new InMemoryXdsClient(server, Type)).ToList();
        await StartAsync([.. clients]);
        Publish("a", 1);
        foreach (var client in clients)
            Assert.True(await client.UntilAsync(has => has.ContainsKey("a")));
        Assert.All(clients, c => Assert.Equal(2, c.Responses.Count));
        Assert.Equal(5000, server.Streams.Count);
        foreach (var client in clients)
            await client.DisposeAsync();
        Assert.Empty(server.Streams);
    }

    [Fact]
    public async Task Stream_ThatDoesNotRead_DelaysNobody()
    {
        var server = new DeltaXdsServer([_table]);
        await using var stuck = new InMemoryXdsClient(server, Type);
        await using var reading = new InMemoryXdsClient(server, Type);
        await StartAsync(stuck, reading);
        stuck.StopReading();
        for (var i = 0; i < 50; i++)
        {
            Publish("a", i);
            Assert.True(await reading.UntilAsync(has => has.GetValueOrDefault("a") == DeltaXdsServerTests.Version(i)));
        }

        Assert.Single(stuck.Responses);
    }

    [Fact]
    public async Task WholeTable_ForAClientThatDoesNotRead_LetsTheNextInAfterItsPatience()
    {
        var time = new ManualTimeProvider();
        var options = new DeltaXdsServerOptions { SimultaneousFullResponses = 1, FullResponsePatience = TimeSpan.FromSeconds(2), Time = time };
        for (var i = 0; i < 2000; i++)
            Publish($"resource-{i}", 1); // together more than what counts as a whole table
        var server = new DeltaXdsServer([_table], options);
        await using var stuck = new InMemoryXdsClient(server, Type);
        stuck.StopReading();
        stuck.Start();
        await stuck.ServerWaits.WaitAsync(_patience);
        await using var next = new InMemoryXdsClient(server, Type);
        next.Start();
        await time.TimerIsSetAsync(TimeSpan.FromSeconds(2));
        Assert.Empty(next.Responses);
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.True(await next.UntilAsync(has => has.Count == 2000));
    }

    [Fact]
    public async Task Publication_HasConverged_WhenTheLastStreamHasAnswered()
    {
        var converged = new List<long>();
        _table.Converged = converged.Add;
        var server = new DeltaXdsServer([_table]);
        await using var quick = new InMemoryXdsClient(server, Type);
        var slow = new InMemoryXdsClient(server, Type);
        await StartAsync(quick, slow);
        slow.Mute = true;
        Publish("a", 1, since: 77);
        Assert.True(await quick.UntilResponsesAsync(2));
        Assert.True(await slow.UntilResponsesAsync(2));
        Assert.Empty(converged);

        // A refusal is an answer, too.
        slow.Send(new DeltaDiscoveryRequest { TypeUrl = Type, ResponseNonce = slow.Responses[1].Nonce, ErrorDetail = new Status { Message = "no" } });
        slow.Send(new DeltaDiscoveryRequest { TypeUrl = "type.googleapis.com/other" });
        Assert.True(await slow.UntilResponsesAsync(3));
        Assert.True(await UntilAsync(() => converged.Count == 1));
        Assert.Equal([77], converged);

        // A stream that goes away is waited for no longer, and what it left unanswered is no convergence.
        Publish("a", 2, since: 78);
        Assert.True(await quick.UntilResponsesAsync(3));
        await slow.DisposeAsync();
        Publish("a", 3, since: 79);
        Assert.True(await UntilAsync(() => converged.Contains(79)));
    }

    [Fact]
    public async Task LaterTable_NeverOvertakesAnEarlierOne()
    {
        var policies = new XdsResourceTable(XdsTypeUrls.Authorization);
        var server = new DeltaXdsServer([policies, _table]);
        await using var client = new InMemoryXdsClient(server, Type);
        client.Start();
        client.Send(new DeltaDiscoveryRequest { Node = client.Node, TypeUrl = XdsTypeUrls.Authorization });
        Assert.True(await client.UntilResponsesAsync(2));
        for (var i = 0; i < 2000; i++)
        {
            policies.Publish([DeltaXdsServerTests.Resource("policy", i)], []);
            Publish("workload", i);
        }

        Assert.True(await client.UntilAsync(has => has.GetValueOrDefault("workload") == DeltaXdsServerTests.Version(1999)));
        var numbers = Enumerable.Range(0, 2000).ToDictionary(DeltaXdsServerTests.Version, i => i, StringComparer.Ordinal);
        var policy = -1;
        foreach (var resource in client.Responses.SelectMany(r => r.Resources))
        {
            if (resource.Name is "policy")
                policy = numbers[resource.Version];
            else
                Assert.True(numbers[resource.Version] <= policy, $"workload {numbers[resource.Version]} came while the client had policy {policy}");
        }
    }

    [Fact]
    public async Task WholeState_IsSentOnceAndNeverAgain()
    {
        for (var i = 0; i < 1000; i++)
            Publish($"pod-{i}", i);
        long bytes = 0;
        var server = new DeltaXdsServer([_table], new DeltaXdsServerOptions { Pushed = (_, push) => Interlocked.Add(ref bytes, push.Bytes) });
        var client = new InMemoryXdsClient(server, Type);
        client.Start();
        Assert.True(await client.UntilResponsesAsync(1));
        var whole = Interlocked.Read(ref bytes);
        Assert.True(whole > _table.All().Sum(r => r.Size));

        // The same content again, a change of one, a reconnect: the bytes of one resource and of empty frames.
        _table.Replace(_table.All().ToList());
        Publish("pod-7", 7777);
        Assert.True(await client.UntilResponsesAsync(2));
        var has = client.Has;
        await client.DisposeAsync();
        await using var again = new InMemoryXdsClient(server, Type, has);
        again.Start();
        Assert.True(await again.UntilResponsesAsync(1));
        var one = _table.Find("pod-7")!.Size;
        Assert.InRange(Interlocked.Read(ref bytes) - whole, one, one + 256);
    }

    private static async Task StartAsync(params InMemoryXdsClient[] clients)
    {
        foreach (var client in clients)
            client.Start();
        foreach (var client in clients)
            Assert.True(await client.UntilResponsesAsync(1));
    }

    private static async Task<bool> UntilAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(_patience);
        while (!condition())
        {
            if (limit.IsCancellationRequested)
                return false;
            await Task.Yield();
        }

        return true;
    }

    private void Publish(string name, int content, long since = 0) => _table.Publish([DeltaXdsServerTests.Resource(name, content)], [], since);
}
