using Envoy.Service.Discovery.V3;
using Google.Protobuf.WellKnownTypes;
using Mesh.Testing;
using Mesh.Xds.Grpc;
using Mesh.Xds.Server;

namespace Mesh.Xds.Tests.Server;

public sealed class DeltaXdsServerTests
{
    private const string Type = XdsTypeUrls.Address;
    private readonly XdsResourceTable _table = new(Type);

    [Fact]
    public async Task Wildcard_FirstRequest_IsAnsweredWithEverything()
    {
        Publish(("a", 1), ("b", 1));
        await using var client = Connect();
        client.Start();
        Assert.True(await client.UntilResponsesAsync(1));
        Assert.Equal(["a", "b"], client.Responses[0].Resources.Select(r => r.Name));
    }

    [Fact]
    public async Task Wildcard_OfNothing_IsAnsweredAllTheSame()
    {
        await using var client = Connect();
        client.Start();
        Assert.True(await client.UntilResponsesAsync(1));
        Assert.Empty(client.Responses[0].Resources);
    }

    [Fact]
    public async Task Wildcard_WrittenAsStar_IsTheSame()
    {
        Publish(("a", 1));
        await using var client = Connect();
        client.Start(onDemand: false, "*");
        Assert.True(await client.UntilAsync(has => has.ContainsKey("a")));
    }

    [Fact]
    public async Task Type_ThatNobodyServes_IsAnsweredEmpty()
    {
        await using var client = new InMemoryXdsClient(new DeltaXdsServer([_table]), "type.googleapis.com/other");
        client.Start();
        Assert.True(await client.UntilResponsesAsync(1));
    }

    [Fact]
    public async Task Change_IsSentAlone()
    {
        Publish(("a", 1), ("b", 1));
        await using var client = Connect();
        client.Start();
        Assert.True(await client.UntilResponsesAsync(1));
        Publish(("b", 2));
        Remove("a");
        Assert.True(await client.UntilAsync(has => has.Count == 1 && has["b"] == Version(2)));
        Assert.DoesNotContain(client.Responses.Skip(1).SelectMany(r => r.Resources), r => r.Name == "a");
    }

    [Fact]
    public async Task Publication_OfTheSameContent_SendsNothing()
    {
        Publish(("a", 1));
        await using var client = Connect();
        client.Start();
        Assert.True(await client.UntilResponsesAsync(1));
        Assert.Equal(0, Publish(("a", 1)));
        Assert.Equal(1, Publish(("b", 1)));
        Assert.True(await client.UntilResponsesAsync(2));
        Assert.Equal(["b"], client.Responses[1].Resources.Select(r => r.Name));
    }

    [Fact]
    public async Task Reconnect_WithVersions_IsSentOnlyTheDifference()
    {
        Publish(("a", 1), ("b", 2), ("c", 1));
        await using var client = Connect(new() { ["a"] = Version(1), ["b"] = Version(1), ["gone"] = Version(1) });
        client.Start();
        Assert.True(await client.UntilResponsesAsync(1));
        Assert.Equal(["b", "c"], client.Responses[0].Resources.Select(r => r.Name));
        Assert.Equal(["gone"], client.Responses[0].RemovedResources);
    }

    [Fact]
    public async Task OnDemand_FirstRequest_IsAnsweredWithNothing()
    {
        Publish(("a", 1));
        await using var client = Connect();
        client.Start(onDemand: true);
        Assert.True(await client.UntilResponsesAsync(1));
        Assert.Empty(client.Responses[0].Resources);
        Publish(("a", 2), ("b", 1));
        client.Subscribe("b");
        Assert.True(await client.UntilResponsesAsync(2));
        Assert.Equal(["b"], client.Has.Keys);
    }

    [Fact]
    public async Task OnDemand_UnknownName_IsListedAsRemovedAndSentWhenItComes()
    {
        await using var client = Connect();
        client.Start(onDemand: true);
        client.Subscribe("later");
        Assert.True(await client.UntilAsync(_ => client.Responses.Any(r => r.RemovedResources.Contains("later"))));
        Publish(("later", 1));
        Assert.True(await client.UntilAsync(has => has.ContainsKey("later")));
    }

    [Fact]
    public async Task OnDemand_VirtualAddress_BringsTheServiceAndItsWorkloads()
    {
        _table.Publish(
            [
                Resource("ns/svc", 1, aliases: ["/198.18.2.1"]), Resource("w1", 1, aliases: ["/198.18.1.1"], parents: ["ns/svc"]),
                Resource("w2", 1, parents: ["ns/other"]),
            ],
            []);
        await using var client = Connect();
        client.Start(onDemand: true);
        client.Subscribe("/198.18.2.1");
        Assert.True(await client.UntilAsync(has => has.ContainsKey("w1") && has.ContainsKey("ns/svc")));
        Assert.DoesNotContain("w2", client.Has.Keys);
        var answer = client.Responses.Single(r => r.Resources.Count > 0);
        Assert.Equal(["/198.18.2.1"], answer.Resources.Single(r => r.Name == "ns/svc").Aliases);
        Assert.Contains("/198.18.2.1", answer.RemovedResources); // no resource has that name; releases clients that wait for it

        _table.Publish([Resource("w3", 1, parents: ["ns/svc"])], []);
        Assert.True(await client.UntilAsync(has => has.ContainsKey("w3")));
        _table.Publish([], ["w1"]);
        Assert.True(await client.UntilAsync(has => !has.ContainsKey("w1")));
    }

    [Fact]
    public async Task OnDemand_WorkloadsOfTheOwnNode_ComeUnasked()
    {
        _table.Publish([Resource("here", 1, node: "n1"), Resource("there", 1, node: "n2")], []);
        await using var client = new InMemoryXdsClient(new DeltaXdsServer([_table]), Type, nodeName: "n1");
        client.Start(onDemand: true);
        Assert.True(await client.UntilAsync(has => has.ContainsKey("here")));
        _table.Publish([Resource("new", 1, node: "n1"), Resource("elsewhere", 1, node: "n2")], []);
        Assert.True(await client.UntilAsync(has => has.ContainsKey("new")));
        Assert.Equal(["here", "new"], client.Has.Keys.Order());
    }

    [Fact]
    public async Task Client_ThatStopsReading_GetsTheLastStateOfEachNameOnce()
    {
        Publish(("a", 0));
        await using var client = Connect();
        client.Start();
        Assert.True(await client.UntilResponsesAsync(1));
        client.StopReading();
        for (var i = 1; i <= 1000; i++)
            Publish(("a", i));
        client.ReadOn();
        Assert.True(await client.UntilAsync(has => has["a"] == Version(1000)));
        Assert.InRange(client.Responses.Count, 2, 3);
    }

    [Fact]
    public async Task Client_TooFarBehind_IsEndedSoThatItStartsAgainFromWhatItHas()
    {
        var table = new XdsResourceTable(Type, history: 16, maximumGone: 100);
        await using var client = new InMemoryXdsClient(new DeltaXdsServer([table]), Type);
        client.Start();
        Assert.True(await client.UntilResponsesAsync(1));
        client.StopReading();
        for (var i = 0; i < 200; i++)
        {
            table.Publish([Resource($"r{i}", 1)], []);
            table.Publish([], [$"r{i}"]);
        }

        client.ReadOn();
        var failure = await Assert.ThrowsAsync<GrpcException>(() => client.Serving);
        Assert.Equal(GrpcStatusCode.Unavailable, failure.Status.Code);
    }

    [Fact]
    public async Task Client_ThatTakesNothing_IsAbortedAfterTheSendTimeout()
    {
        var time = new ManualTimeProvider();
        await using var client = Connect(options: new DeltaXdsServerOptions { SendTimeout = TimeSpan.FromMinutes(5), Time = time });
        client.StopReading();
        client.Start();
        await time.TimerIsSetAsync(TimeSpan.FromMinutes(5));
        time.Advance(TimeSpan.FromMinutes(5));
        await Assert.ThrowsAsync<GrpcException>(() => client.Serving);
        Assert.True(client.Aborted);
    }

    [Fact]
    public async Task Nack_IsRecordedAndNothingIsSentAgain()
    {
        var heard = new List<XdsNack>();
        var server = new DeltaXdsServer([_table], new DeltaXdsServerOptions { Rejected = (_, nack) => heard.Add(nack) });
        Publish(("a", 1));
        await using var client = new InMemoryXdsClient(server, Type);
        client.Start();
        Assert.True(await client.UntilResponsesAsync(1));
        client.Send(new DeltaDiscoveryRequest { TypeUrl = Type, ResponseNonce = client.Responses[0].Nonce, ErrorDetail = new Status { Message = "a: bad" } });
        Publish(("b", 1));
        Assert.True(await client.UntilResponsesAsync(2));
        Assert.Equal(["b"], client.Responses[1].Resources.Select(r => r.Name));
        var status = Assert.Single(Assert.Single(server.Streams).Types);
        Assert.Equal("a: bad", status.LastNack?.Message);
        Assert.Equal("a: bad", Assert.Single(heard).Message);
    }

    [Fact]
    public async Task Stream_WithoutNode_IsRefused()
    {
        await using var client = Connect();
        client.Send(new DeltaDiscoveryRequest { TypeUrl = Type });
        Assert.Equal(GrpcStatusCode.InvalidArgument, (await Assert.ThrowsAsync<GrpcException>(() => client.Serving)).Status.Code);
    }

    [Fact]
    public async Task Stream_WhoseNodeTheOwnerRefuses_EndsWithTheOwnersStatus()
    {
        await using var client = Connect(options: new DeltaXdsServerOptions { AcceptNode = (_, _) => throw new GrpcException(GrpcStatusCode.PermissionDenied, "not yours") });
        client.Start();
        Assert.Equal(GrpcStatusCode.PermissionDenied, (await Assert.ThrowsAsync<GrpcException>(() => client.Serving)).Status.Code);
    }

    [Fact]
    public async Task Types_AreSentInTheOrderOfTheTables()
    {
        var policies = new XdsResourceTable(XdsTypeUrls.Authorization);
        var server = new DeltaXdsServer([policies, _table]);
        await using var client = new InMemoryXdsClient(server, Type);
        client.Start();
        client.Send(new DeltaDiscoveryRequest { Node = client.Node, TypeUrl = XdsTypeUrls.Authorization });
        Assert.True(await client.UntilResponsesAsync(2));
        client.StopReading();
        Publish(("first", 1));
        await client.ServerWaits.WaitAsync(TimeSpan.FromSeconds(20));
        Publish(("workload", 1));
        policies.Publish([Resource("policy", 1)], []);
        client.ReadOn();
        Assert.True(await client.UntilAsync(has => has.ContainsKey("workload") && has.ContainsKey("policy")));
        Assert.Equal(["first", "policy", "workload"], client.Responses.Skip(2).SelectMany(r => r.Resources).Select(r => r.Name));
    }

    internal static XdsResource Resource(string name, int content, string[]? aliases = null, string[]? parents = null, string? node = null)
    {
        var plain = XdsResource.Create(name, Type, new StringValue { Value = $"{content}" });
        return plain.With(aliases ?? [], parents ?? [], node);
    }

    internal static string Version(int content) => Resource("any", content).Version;

    private InMemoryXdsClient Connect(Dictionary<string, string>? has = null, DeltaXdsServerOptions? options = null) => new(new DeltaXdsServer([_table], options), Type, has);

    private int Publish(params (string Name, int Content)[] resources) => _table.Publish(resources.Select(r => Resource(r.Name, r.Content)), []);

    private void Remove(string name) => _table.Publish([], [name]);
}
