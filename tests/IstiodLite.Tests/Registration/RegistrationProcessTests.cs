using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Envoy.Service.Discovery.V3;
using Mesh.Testing;
using Mesh.Xds;
using Mesh.Xds.Grpc;

namespace Mesh.IstiodLite.Tests.Registration;

/// <summary>curl registers with the real executable; a node agent sees what becomes of it.</summary>
public sealed class RegistrationProcessTests
{
    private const string Group = """
        apiVersion: networking.istio.io/v1
        kind: WorkloadGroup
        metadata: { name: billing, namespace: shop }
        spec:
          metadata: { labels: { app: billing } }
          template: { serviceAccount: billing, ports: { http: 8080 } }
        ---
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: { name: billing, namespace: shop }
        spec:
          hosts: [billing.shop.internal]
          ports: [ { number: 80, name: http, protocol: HTTP, targetPort: 8080 } ]
          location: MESH_INTERNAL
          resolution: STATIC
          workloadSelector: { labels: { app: billing } }
        """;

    private const string Uid = "Kubernetes/networking.istio.io/WorkloadEntry/shop/billing-a";

    [ToolFact("curl")]
    public async Task Curl_RegistersBeatsAndLeaves()
    {
        await using var plane = await ControlPlaneProcess.StartAsync(Group);
        using var channel = await plane.ConnectAsync("--node", "node-1");
        await using var agent = await AgentAsync(channel);
        var token = await plane.TokenAsync("--workload", "shop/billing");

        var (code, body) = await CurlAsync(plane, token, "PUT", "/v1/namespaces/shop/groups/billing/instances/a", """{"address":"198.18.7.1","ttl":"10s"}""");
        Assert.Equal(("201", "passing", "spiffe://cluster.local/ns/shop/sa/billing"), (code, (string?)body!["state"], (string?)body["identity"]));
        var workload = await NextAsync(agent);
        Assert.Equal((Istio.Workload.WorkloadStatus.Healthy, "billing"), (workload!.Status, workload.ServiceAccount));
        Assert.Equal(["shop/billing.shop.internal"], workload.Services.Keys);

        // No heartbeat comes: out. One comes: back.
        Assert.Equal(Istio.Workload.WorkloadStatus.Unhealthy, (await NextAsync(agent))!.Status);
        Assert.Equal("204", (await CurlAsync(plane, token, "PUT", "/v1/namespaces/shop/groups/billing/instances/a/heartbeat")).Code);
        Assert.Equal(Istio.Workload.WorkloadStatus.Healthy, (await NextAsync(agent))!.Status);

        Assert.Equal("204", (await CurlAsync(plane, token, "DELETE", "/v1/namespaces/shop/groups/billing/instances/a")).Code);
        while (await NextAsync(agent) is not null)
        {
            // The next time without a heartbeat may have come first.
        }

        Assert.Equal("404", (await CurlAsync(plane, token, "PUT", "/v1/namespaces/shop/groups/billing/instances/a/heartbeat")).Code);
    }

    [ToolFact("curl")]
    public async Task Curl_WithTheWrongTokenOrBody_IsToldWhy()
    {
        await using var plane = await ControlPlaneProcess.StartAsync(Group);
        const string Path = "/v1/namespaces/shop/groups/billing/instances/a";
        Assert.Equal("401", (await CurlAsync(plane, "nonsense", "PUT", Path)).Code);
        var (code, body) = await CurlAsync(plane, await plane.TokenAsync("--workload", "shop/other"), "PUT", Path);
        Assert.Equal("403", code);
        Assert.Contains("run as billing, the token is for other", (string?)body!["error"], StringComparison.Ordinal);
        Assert.Equal("403", (await CurlAsync(plane, await plane.TokenAsync("--workload", "elsewhere/billing"), "PUT", Path)).Code);
        Assert.Equal("403", (await CurlAsync(plane, await plane.TokenAsync("--node", "n"), "PUT", Path)).Code);
        var token = await plane.TokenAsync("--workload", "shop/billing");
        Assert.Equal("404", (await CurlAsync(plane, token, "PUT", Path.Replace("groups/billing", "groups/none", StringComparison.Ordinal))).Code);
        Assert.Equal("405", (await CurlAsync(plane, token, "POST", Path)).Code);
        (code, body) = await CurlAsync(plane, token, "PUT", Path, """{"adress":"198.18.7.1"}""");
        Assert.Equal("400", code);
        Assert.Contains("adress", (string?)body!["error"], StringComparison.Ordinal);
        Assert.Equal("413", (await CurlAsync(plane, token, "PUT", Path, new string(' ', 100_000))).Code);
        Assert.Equal("[]", (await CurlAsync(plane, token, "GET", "/v1/instances")).Body!.ToJsonString());
    }

    [ToolFact("curl")]
    public async Task Check_ThatTheControlPlaneMakes_FollowsTheInstance()
    {
        await using var plane = await ControlPlaneProcess.StartAsync(Group);
        using var channel = await plane.ConnectAsync("--node", "node-1");
        await using var agent = await AgentAsync(channel);
        var token = await plane.TokenAsync("--workload", "shop/billing");
        var listener = Listen(Ports.Unused());
        var port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        var request = $$"""{"address":"127.0.0.1","check":{"interval":"1s","failures":1,"tcp":{"port":{{port}} } } }""";
        Assert.Equal("201", (await CurlAsync(plane, token, "PUT", "/v1/namespaces/shop/groups/billing/instances/a", request)).Code);
        await UntilAsync(agent, Istio.Workload.WorkloadStatus.Healthy);
        listener.Dispose();
        await UntilAsync(agent, Istio.Workload.WorkloadStatus.Unhealthy);
        Assert.Contains("failed", (string?)(await CurlAsync(plane, token, "GET", "/v1/namespaces/shop/groups/billing/instances/a")).Body!["reason"], StringComparison.Ordinal);
        using var again = Listen(port);
        await UntilAsync(agent, Istio.Workload.WorkloadStatus.Healthy);
    }

    private static async Task UntilAsync(GrpcDuplexCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> agent, Istio.Workload.WorkloadStatus status)
    {
        while ((await NextAsync(agent))!.Status != status)
        {
            // An earlier state.
        }
    }

    private static Socket Listen(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
        socket.Listen();
        return socket;
    }

    private static async Task<GrpcDuplexCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse>> AgentAsync(GrpcChannel channel)
    {
        var call = await channel.StartDuplexAsync(GrpcMethods.DeltaAggregatedResources);
        await call.WriteAsync(new DeltaDiscoveryRequest { Node = new Node { Id = "ztunnel~198.18.0.11~ztunnel.istio-system~x" }, TypeUrl = XdsTypeUrls.Address, ResourceNamesSubscribe = { "*" } });
        await call.ReadAsync();
        return call;
    }

    /// <summary>The instance's workload in the next change; null when it is removed.</summary>
    private static async Task<Istio.Workload.Workload?> NextAsync(GrpcDuplexCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> agent)
    {
        while (true)
        {
            var response = (await agent.ReadAsync().WaitAsync(TimeSpan.FromSeconds(60)))!;
            if (response.RemovedResources.Contains(Uid))
                return null;
            if (response.Resources.SingleOrDefault(r => r.Name == Uid) is { } resource)
                return resource.Resource_.Unpack<Istio.Workload.Address>().Workload;
        }
    }

    private static async Task<(string Code, JsonNode? Body)> CurlAsync(ControlPlaneProcess plane, string token, string method, string path, string? body = null)
    {
        var start = new ProcessStartInfo("curl", ["-sS", "--cacert", plane.RootCertificate, "-X", method, "-H", $"authorization: Bearer {token}", "-w", "\n%{http_code}", "--max-time", "60", "--data-binary", "@-", new Uri(plane.Discovery, path).ToString()])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var curl = Process.Start(start)!;
        await curl.StandardInput.WriteAsync(body);
        curl.StandardInput.Close();
        var error = curl.StandardError.ReadToEndAsync();
        var lines = (await curl.StandardOutput.ReadToEndAsync()).Split('\n');
        await curl.WaitForExitAsync();
        Assert.True(curl.ExitCode == 0, await error);
        return (lines[^1], string.IsNullOrEmpty(lines[0]) ? null : JsonNode.Parse(lines[0]));
    }
}
