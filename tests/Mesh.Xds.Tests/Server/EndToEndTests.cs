using Google.Protobuf.WellKnownTypes;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Xds.Client;
using Mesh.Xds.Grpc;
using Mesh.Xds.Server;
using Mesh.Xds.Tests.Grpc;
using Mesh.Xds.Wds;

namespace Mesh.Xds.Tests.Server;

/// <summary>Our client against our server over real HTTP/2: a mesh is published, changed, and the server is replaced under the client.</summary>
public sealed class EndToEndTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Mesh_Published_ReachesTheClientsSnapshotAndSurvivesANewServer()
    {
        var addresses = new XdsResourceTable(XdsTypeUrls.Address);
        var policies = new XdsResourceTable(XdsTypeUrls.Authorization);
        addresses.Publish(Enumerable.Range(0, 5000).Select(Pod), []);
        var state = new MeshState();
        var authenticated = new List<string?>();
        var options = new DeltaXdsServerOptions
        {
            Authenticate = call =>
            {
                authenticated.Add(call.BearerToken);
                return call.BearerToken == "good" ? new(new XdsPeer("node")) : throw new GrpcException(GrpcStatusCode.Unauthenticated, "who are you?");
            },
        };
        var first = await GrpcTestServer.StartAsync(e => new DeltaXdsServer([policies, addresses], options).Map(e));
        using var channel = first.Channel(o => o with { Credentials = TokenCredentials.FromLiteral("good", "Kubernetes") });
        using var stop = new CancellationTokenSource();
        var client = new DeltaXdsClient(
            new GrpcXdsTransport(channel),
            new XdsNode { Role = "ztunnel" }.ToProto(),
            [new XdsSubscription(new WdsAddressHandler(state)), new XdsSubscription(new WdsAuthorizationHandler(state))],
            TimeProvider.System);
        var running = client.RunAsync(stop.Token);
        await client.FirstSync.WaitAsync(Limit);
        Assert.NotNull(state.Current.FindWorkloadByUid("pod-4999"));

        // A change, and a removal while connected.
        addresses.Publish([Pod(5000)], ["pod-0"]);
        Assert.NotNull(await state.WaitForAsync(s => s.FindWorkloadByUid("pod-5000"), Limit, TimeProvider.System));
        Assert.Null(state.Current.FindWorkloadByUid("pod-0"));

        // The server goes away; what happens meanwhile arrives afterwards, as a difference.
        await first.DisposeAsync();
        addresses.Publish([Pod(5001)], ["pod-1"]);
        var pushes = new List<XdsPush>();
        await using var second = await GrpcTestServer.StartAsync(
            e => new DeltaXdsServer([policies, addresses], options with { Pushed = (_, p) => pushes.Add(p) }).Map(e), port: first.Address.Port);
        Assert.NotNull(await state.WaitForAsync(s => s.FindWorkloadByUid("pod-5001"), Limit, TimeProvider.System));
        Assert.Null(state.Current.FindWorkloadByUid("pod-1"));
        Assert.Equal((1, 1), (pushes.Sum(p => p.Resources), pushes.Sum(p => p.Removed)));
        Assert.All(authenticated, t => Assert.Equal("good", t));

        await stop.CancelAsync();
        await running.WaitAsync(Limit);
    }

    [Fact]
    public async Task Client_WithoutAValidToken_IsRefusedBeforeAnythingIsSent()
    {
        var options = new DeltaXdsServerOptions { Authenticate = _ => throw new GrpcException(GrpcStatusCode.Unauthenticated, "who are you?") };
        await using var server = await GrpcTestServer.StartAsync(e => new DeltaXdsServer([new XdsResourceTable(XdsTypeUrls.Address)], options).Map(e));
        using var channel = server.Channel();
        var failure = await Assert.ThrowsAsync<GrpcException>(() => new GrpcXdsTransport(channel).OpenAsync([new() { TypeUrl = XdsTypeUrls.Address }], CancellationToken.None));
        Assert.Equal((GrpcStatusCode.Unauthenticated, GrpcFailurePhase.Opening), (failure.Status.Code, failure.Phase));
        Assert.Equal(XdsTermination.ConnectionError, XdsTerminations.Classify(failure));
    }

    [Fact]
    public async Task Response_OfManyMegabytes_IsStreamedAndWhole()
    {
        var table = new XdsResourceTable(XdsTypeUrls.Address);
        var text = new string('x', 100_000);
        table.Publish(Enumerable.Range(0, 300).Select(i => XdsResource.Create($"r{i}", XdsTypeUrls.Address, new StringValue { Value = text + i })), []);
        await using var server = await GrpcTestServer.StartAsync(e => new DeltaXdsServer([table]).Map(e));
        using var channel = server.Channel();
        await using var stream = await new GrpcXdsTransport(channel).OpenAsync(
            [new() { TypeUrl = XdsTypeUrls.Address, Node = new XdsNode { Role = "ztunnel" }.ToProto() }], CancellationToken.None);
        var response = await stream.ReceiveAsync().WaitAsync(Limit);
        Assert.Equal(300, response!.Resources.Count);
        Assert.All(response.Resources, r => Assert.True(r.Resource_.Value.Length > 100_000));
    }

    private static XdsResource Pod(int number) => XdsResource.Create(
        $"pod-{number}", XdsTypeUrls.Address, WdsEncoder.Address(new Workload { Uid = $"pod-{number}", Name = $"pod-{number}", Namespace = "default" }));
}
