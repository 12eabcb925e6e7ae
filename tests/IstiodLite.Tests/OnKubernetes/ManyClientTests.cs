using Envoy.Service.Discovery.V3;
using Mesh.Xds;
using Mesh.Xds.Grpc;

namespace Mesh.IstiodLite.Tests.OnKubernetes;

/// <summary>Many agents over sockets of their own: all are told, whatever one of them does.</summary>
public sealed class ManyClientTests
{
    private const int Agents = 30;
    // More than fits into the windows of a stream that nobody reads.
    private const int Pods = 1000;

    [Fact]
    public async Task AgentThatDoesNotRead_DelaysNobody()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Pod("ztunnel-1", "ztunnel", "10.0.0.1", "node-1", "istio-system");
        for (var i = 0; i < Pods; i++)
            rig.Pod($"p{i}", "pay", $"10.{10 + (i / 250)}.0.{i % 250}");
        var host = await rig.ControlPlaneAsync();
        var token = rig.Server.Tokens.Issue("istio-system", "ztunnel", ["istio-ca"], TimeSpan.FromHours(1), "ztunnel-1");

        using var silent = rig.Connect(host, token);
        await using var unread = await AskAsync(silent);
        var channels = Enumerable.Range(0, Agents).Select(_ => rig.Connect(host, token)).ToList();
        var agents = await Task.WhenAll(channels.Select(Agent.ConnectAsync));
        try
        {
            await Task.WhenAll(agents.Select(a => a.UntilAsync($"/Pod/shop/p{Pods - 1}"))).WaitAsync(ClusterRig.Patience);

            rig.Pod("late", "pay", "10.99.0.1");

            await Task.WhenAll(agents.Select(a => a.UntilAsync("/Pod/shop/late"))).WaitAsync(ClusterRig.Patience);
        }
        finally
        {
            foreach (var agent in agents)
                await agent.DisposeAsync();
        }
    }

    private static async Task<GrpcDuplexCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse>> AskAsync(GrpcChannel channel)
    {
        var call = await channel.StartDuplexAsync(GrpcMethods.DeltaAggregatedResources);
        await call.WriteAsync(new DeltaDiscoveryRequest { TypeUrl = XdsTypeUrls.Address, Node = new Node { Id = "ztunnel~10.0.0.1~ztunnel-1.istio-system~x" }, ResourceNamesSubscribe = { "*" } });
        return call;
    }

    /// <summary>Reads and accepts everything.</summary>
    private sealed class Agent(GrpcChannel channel, GrpcDuplexCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> call) : IAsyncDisposable
    {
        public static async Task<Agent> ConnectAsync(GrpcChannel channel) => new(channel, await AskAsync(channel));

        public async Task UntilAsync(string name)
        {
            while (await call.ReadAsync() is { } response)
            {
                await call.WriteAsync(new DeltaDiscoveryRequest { TypeUrl = response.TypeUrl, ResponseNonce = response.Nonce });
                if (response.Resources.Any(r => r.Name.EndsWith(name, StringComparison.Ordinal)))
                    return;
            }
            Assert.Fail($"the stream ended before {name} came");
        }

        public async ValueTask DisposeAsync()
        {
            await call.DisposeAsync();
            channel.Dispose();
        }
    }
}
