using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Envoy.Service.Discovery.V3;
using Google.Protobuf.WellKnownTypes;
using Istio.V1.Auth;
using Mesh.Identity.Certificates;
using Mesh.Model;
using Mesh.Runtime;
using Mesh.Testing;
using Mesh.Xds;
using Mesh.Xds.Grpc;

namespace Mesh.IstiodLite.Tests;

/// <summary>The real executable over real sockets.</summary>
public sealed class ProcessTests
{
    private static readonly string _payment = Documents.Pod("payment", "payment", "198.18.1.2");

    [Fact]
    public async Task Ztunnel_Connected_GetsStateThenExactlyTheChange()
    {
        await using var plane = await ControlPlaneProcess.StartAsync(Documents.PaymentService, _payment);
        using var channel = await plane.ConnectAsync("--node", "node-1");
        await using var stream = await OpenAsync(channel, "ztunnel~198.18.0.11~ztunnel.istio-system~istio-system.svc.cluster.local");

        await stream.WriteAsync(Subscribe(XdsTypeUrls.Authorization));
        Assert.Empty((await stream.ReadAsync())!.Resources);
        await stream.WriteAsync(Subscribe(XdsTypeUrls.Address));
        var first = (await stream.ReadAsync())!;
        Assert.Equal(["Kubernetes//Pod/default/payment", "default/payment.default.svc.cluster.local"], first.Resources.Select(r => r.Name).Order(StringComparer.Ordinal));

        plane.Write("order.yaml", Documents.Pod("order", "order", "198.18.1.3", "app: order"));
        var change = (await stream.ReadAsync())!;
        Assert.Equal(["Kubernetes//Pod/default/order"], change.Resources.Select(r => r.Name));
        Assert.Empty(change.RemovedResources);

        File.Delete(Path.Combine(plane.Config, "order.yaml"));
        Assert.Equal(["Kubernetes//Pod/default/order"], (await stream.ReadAsync())!.RemovedResources);

        // A reconnect that says what it has is told that nothing changed.
        await using var again = await OpenAsync(channel, "ztunnel~198.18.0.11~ztunnel.istio-system~istio-system.svc.cluster.local");
        var request = Subscribe(XdsTypeUrls.Address);
        foreach (var resource in first.Resources)
            request.InitialResourceVersions[resource.Name] = resource.Version;
        await again.WriteAsync(request);
        Assert.Empty((await again.ReadAsync())!.Resources);
    }

    [Fact]
    public async Task Policy_AndTheWorkloadThatNamesIt_PolicyComesFirst()
    {
        await using var plane = await ControlPlaneProcess.StartAsync(_payment);
        using var channel = await plane.ConnectAsync("--node", "node-1");
        await using var stream = await OpenAsync(channel, "ztunnel~198.18.0.11~ztunnel.istio-system~istio-system.svc.cluster.local");
        await stream.WriteAsync(Subscribe(XdsTypeUrls.Address));
        await stream.ReadAsync();
        await stream.WriteAsync(Subscribe(XdsTypeUrls.Authorization));
        await stream.ReadAsync();
        plane.Write("policy.yaml", Documents.Seed("authorization-policy.yaml"));
        Assert.Equal(XdsTypeUrls.Authorization, (await stream.ReadAsync())!.TypeUrl);
        var workload = (await stream.ReadAsync())!.Resources[0].Resource_.Unpack<Istio.Workload.Address>().Workload;
        Assert.Equal(["default/payment-policy"], workload.AuthorizationPolicies);
    }

    [Fact]
    public async Task ScopeOfTheNode_SendsPoliciesOfNamespacesThatAreThere_BeforeTheirWorkloads()
    {
        var policy = Documents.Seed("authorization-policy.yaml");
        await using var plane = await ControlPlaneProcess.StartAsync(["--scope", "node"], [_payment, policy, policy.Replace("name: payment-policy", "name: payment-policy\n  namespace: shop", StringComparison.Ordinal)]);
        using var channel = await plane.ConnectAsync("--node", "node-1");
        await using var stream = await OpenAsync(channel, "ztunnel~198.18.0.11~ztunnel.istio-system~istio-system.svc.cluster.local");
        await stream.WriteAsync(Subscribe(XdsTypeUrls.Authorization));
        Assert.Equal(["default/payment-policy"], (await stream.ReadAsync())!.Resources.Select(r => r.Name));
        await stream.WriteAsync(Subscribe(XdsTypeUrls.Address));
        await stream.ReadAsync();
        plane.Write("shop.yaml", Documents.Pod("payment", "payment", "198.18.1.8", ns: "shop"));
        Assert.Equal(["shop/payment-policy"], (await stream.ReadAsync())!.Resources.Select(r => r.Name));
        Assert.Equal(["Kubernetes//Pod/shop/payment"], (await stream.ReadAsync())!.Resources.Select(r => r.Name));
        File.Delete(Path.Combine(plane.Config, "shop.yaml"));
        var gone = new[] { (await stream.ReadAsync())!, (await stream.ReadAsync())! }.SelectMany(r => r.RemovedResources);
        Assert.Equal(["Kubernetes//Pod/shop/payment", "shop/payment-policy"], gone.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Waypoint_Connected_GetsOnlyItsOwn()
    {
        await using var plane = await ControlPlaneProcess.StartAsync(Documents.PaymentService, Documents.PaymentWaypoint, _payment);
        using var channel = await plane.ConnectAsync("--workload", "default/payment-waypoint/payment-waypoint");
        await using var stream = await OpenAsync(channel, "waypoint~198.18.1.9~payment-waypoint.default~default.svc.cluster.local", ("GATEWAY_NAME", "payment-waypoint"), ("NAMESPACE", "default"));
        await stream.WriteAsync(Subscribe(XdsTypeUrls.WaypointService));
        Assert.Equal(["Kubernetes//Pod/default/payment", "default/payment.default.svc.cluster.local"], (await stream.ReadAsync())!.Resources.Select(r => r.Name).Order(StringComparer.Ordinal));
        await stream.WriteAsync(Subscribe(XdsTypeUrls.WaypointCluster));
        Assert.Equal(2, (await stream.ReadAsync())!.Resources.Count);

        using var stranger = await plane.ConnectAsync("--workload", "default/order");
        await using var refused = await OpenAsync(stranger, "waypoint~198.18.1.9~x.default~default.svc.cluster.local", ("GATEWAY_NAME", "payment-waypoint"));
        await refused.WriteAsync(Subscribe(XdsTypeUrls.WaypointService));
        Assert.Equal(GrpcStatusCode.PermissionDenied, (await Assert.ThrowsAsync<GrpcException>(async () => await refused.ReadAsync())).Status.Code);
    }

    [Fact]
    public async Task Certificates_AreGivenForPodsOfTheNodeOnly()
    {
        await using var plane = await ControlPlaneProcess.StartAsync(_payment);
        using var node = await plane.ConnectAsync("--node", "node-1");
        var id = new SpiffeId("cluster.local", "default", "payment");
        using var request = CsrBuilder.Create(id);
        var certificate = WorkloadCertificate.FromChain(id, request, (await SignAsync(node, request, id, 60)).CertChain);
        Assert.Equal(id, certificate.Identity);

        // A pod whose document is newer than what the control plane has looked at is found by looking.
        plane.Write("late.yaml", Documents.Pod("late", "late", "198.18.1.7", "app: late"));
        using var late = CsrBuilder.Create(new SpiffeId("cluster.local", "default", "late"));
        await SignAsync(node, late, new SpiffeId("cluster.local", "default", "late"), 60);

        using var other = await plane.ConnectAsync("--node", "node-2");
        Assert.Equal(GrpcStatusCode.Unauthenticated, (await Assert.ThrowsAsync<GrpcException>(() => SignAsync(other, request, id, 60))).Status.Code);
        using var nobody = await plane.ConnectAsync();
        Assert.Equal(GrpcStatusCode.Unauthenticated, (await Assert.ThrowsAsync<GrpcException>(() => SignAsync(nobody, request, id, 60))).Status.Code);
        Assert.Equal(GrpcStatusCode.InvalidArgument, (await Assert.ThrowsAsync<GrpcException>(() => SignAsync(node, request, id, 365 * 86400))).Status.Code);
    }

    [Fact]
    public async Task Pages_TellProblemsClientsAndMetrics()
    {
        await using var plane = await ControlPlaneProcess.StartAsync(Documents.PaymentService, _payment, "apiVersion: v1\nkind: Podd\nmetadata: { name: x }\n");
        Assert.Equal("ready\ndocuments: 1 refused, of which 0 stay in force in their last good version; see /debug/problems\n", await plane.GetAsync("/ready"));
        var problem = Assert.Single(JsonNode.Parse(await plane.GetAsync("/debug/problems"))!.AsArray())!;
        Assert.Equal(("2.yaml", 2, "error"), ((string?)problem["file"], (int?)problem["line"], (string?)problem["severity"]));
        using var channel = await plane.ConnectAsync("--node", "node-1");
        await using var stream = await OpenAsync(channel, "ztunnel~198.18.0.11~ztunnel.istio-system~x");
        await stream.WriteAsync(Subscribe(XdsTypeUrls.Address));
        var response = (await stream.ReadAsync())!;
        await stream.WriteAsync(new DeltaDiscoveryRequest { TypeUrl = XdsTypeUrls.Address, ResponseNonce = response.Nonce, ErrorDetail = new Envoy.Service.Discovery.V3.Status { Code = 3, Message = "do not like it" } });
        await stream.WriteAsync(Subscribe(XdsTypeUrls.Authorization));
        await stream.ReadAsync();
        var synced = JsonNode.Parse(await plane.GetAsync("/debug/syncz"))!.AsArray()[0]!;
        Assert.Equal("node node-1", (string?)synced["peer"]);
        Assert.Equal("do not like it", (string?)synced["types"]![0]!["lastRejection"]);
        Assert.Contains("clients: node node-1 refused istio.workload.Address: do not like it", await plane.GetAsync("/ready"), StringComparison.Ordinal);
        var status = JsonNode.Parse(await plane.GetAsync("/debug/push_status"))!;
        Assert.Equal((1, 1), ((int?)status["clients"], (int?)status["types"]!.AsArray().Single(t => (string?)t!["type"] == "istio.workload.Address")!["refusing"]));
        var metrics = await plane.GetAsync("/metrics");
        Assert.Contains("istiod_lite_faults{part=\"clients\"} 1", metrics, StringComparison.Ordinal);
        Assert.Contains("pilot_xds 1", metrics, StringComparison.Ordinal);
        Assert.Contains("pilot_total_xds_rejects_total{type=\"istio.workload.Address\"} 1", metrics, StringComparison.Ordinal);
        Assert.Contains("\"service\": \"default/payment.default.svc.cluster.local\"", await plane.GetAsync("/debug/registry"), StringComparison.Ordinal);
        Assert.DoesNotContain("PRIVATE KEY", await plane.GetAsync("/debug/config_dump"), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Ok, await plane.StopAsync());
    }

    [Fact]
    public async Task Change_CountsAsConverged_WhenTheLastClientHasAnsweredIt()
    {
        await using var plane = await ControlPlaneProcess.StartAsync(_payment);
        using var channel = await plane.ConnectAsync("--node", "node-1");
        await using var stream = await OpenAsync(channel, "ztunnel~198.18.0.11~ztunnel.istio-system~x");
        await stream.WriteAsync(Subscribe(XdsTypeUrls.Address));
        await AnswerAsync();
        plane.Write("more.yaml", Documents.Pod("more", "more", "198.18.1.8"));
        var change = (await stream.ReadAsync())!;
        Assert.Contains("istiod_lite_convergence_time_count 0", await plane.GetAsync("/metrics"), StringComparison.Ordinal);
        await stream.WriteAsync(new DeltaDiscoveryRequest { TypeUrl = XdsTypeUrls.Address, ResponseNonce = change.Nonce });
        string metrics;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!(metrics = await plane.GetAsync("/metrics")).Contains("istiod_lite_convergence_time_count 1", StringComparison.Ordinal))
            limit.Token.ThrowIfCancellationRequested();
        Assert.Contains("pilot_proxy_convergence_time_count 1", metrics, StringComparison.Ordinal);

        async Task AnswerAsync() => await stream.WriteAsync(new DeltaDiscoveryRequest { TypeUrl = XdsTypeUrls.Address, ResponseNonce = (await stream.ReadAsync())!.Nonce });
    }

    [Fact]
    public async Task Start_WithSomethingWrong_IsOneSentenceAndACode()
    {
        var folder = Directory.CreateTempSubdirectory("istiod-lite-test-").FullName;
        try
        {
            using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            taken.Listen();
            var state = Path.Combine(folder, "state");
            await FailsAsync(ExitCodes.OsError, "Free the port", "--config-dir", folder, "--state-dir", state, "--admin", "127.0.0.1:0", "--listen", taken.LocalEndPoint!.ToString()!);
            await FailsAsync(ExitCodes.OsError, "Free the port", "--config-dir", folder, "--state-dir", state, "--listen", "127.0.0.1:0", "--admin", taken.LocalEndPoint!.ToString()!);
            await FailsAsync(ExitCodes.Usage, "does not exist; create it", "--config-dir", Path.Combine(folder, "none"), "--state-dir", state);
            await FailsAsync(ExitCodes.CannotCreate, "cannot be created", "--config-dir", folder, "--state-dir", "/proc/none/state", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [ToolFact("node", "openssl")]
    public async Task IndependentClient_OfNode_GetsACertificateAndAChange()
    {
        await using var plane = await ControlPlaneProcess.StartAsync(Documents.PaymentService, _payment);
        var script = Path.Combine(AppContext.BaseDirectory, "Independent", "client.mjs");
        var start = new System.Diagnostics.ProcessStartInfo("node", [script, plane.Discovery.Authority, plane.RootCertificate, await plane.TokenAsync("--node", "node-1"), plane.Config]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        using var node = System.Diagnostics.Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var output = node.StandardOutput.ReadToEndAsync(limit.Token);
        var error = node.StandardError.ReadToEndAsync(limit.Token);
        await node.WaitForExitAsync(limit.Token);
        Assert.True(node.ExitCode == 0, await error + await output);
        Assert.Equal("""
            certificate: 2 elements, verified, spiffe://cluster.local/ns/default/sa/payment
            first: Kubernetes//Pod/default/payment default/payment.default.svc.cluster.local
            change: Kubernetes//Pod/default/order
            """, (await output).TrimEnd());
    }

    private static async Task FailsAsync(int code, string sentence, params string[] arguments)
    {
        var (actual, _, error) = await ControlPlaneProcess.RunAsync(arguments);
        Assert.True(code == actual && error.Contains(sentence, StringComparison.Ordinal) && error.TrimEnd().Split('\n').Length == 1, $"exit code {actual}, {error}");
    }

    /// <summary>A stream whose first request carries the node.</summary>
    private sealed class ClientStream(GrpcDuplexCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> call, Node node) : IAsyncDisposable
    {
        private Node? _node = node;

        public Task WriteAsync(DeltaDiscoveryRequest request)
        {
            request.Node = _node;
            _node = null;
            return call.WriteAsync(request);
        }

        public Task<DeltaDiscoveryResponse?> ReadAsync() => call.ReadAsync().WaitAsync(TimeSpan.FromSeconds(60));

        public ValueTask DisposeAsync() => call.DisposeAsync();
    }

    private static async Task<ClientStream> OpenAsync(GrpcChannel channel, string id, params (string Key, string Value)[] metadata)
    {
        var node = new Node { Id = id, Metadata = new Struct() };
        foreach (var (key, value) in metadata)
            node.Metadata.Fields[key] = Value.ForString(value);
        return new ClientStream(await channel.StartDuplexAsync(GrpcMethods.DeltaAggregatedResources), node);
    }

    private static DeltaDiscoveryRequest Subscribe(string type)
    {
        var request = new DeltaDiscoveryRequest { TypeUrl = type };
        request.ResourceNamesSubscribe.Add("*");
        return request;
    }

    private static Task<IstioCertificateResponse> SignAsync(GrpcChannel channel, CertificateSigningRequest csr, SpiffeId identity, long seconds) =>
        channel.UnaryAsync(GrpcMethods.CreateCertificate, new IstioCertificateRequest
        {
            Csr = csr.Pem,
            ValidityDuration = seconds,
            Metadata = new Struct { Fields = { ["ImpersonatedIdentity"] = Value.ForString(identity.ToString()) } },
        });
}
