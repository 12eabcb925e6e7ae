using System.Text.Json.Nodes;
using Mesh.Testing.Kubernetes.Serving;
using Mesh.Xds.Grpc;

namespace Mesh.IstiodLite.Tests.OnKubernetes;

/// <summary>The control plane on a cluster: what it reads, whom it certifies, what it writes back, and what it does on bad days.</summary>
public sealed class ClusterTests
{
    [Fact]
    public async Task ObjectsOfTheCluster_AreInForce_AndChangesFollow()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Service("pay");
        rig.Pod("pay-1", "pay", "10.1.0.1");
        var host = await rig.ControlPlaneAsync();

        // futureField in the pod: an API server has accepted it, so it is no mistake here.
        var dump = await rig.DumpAsync(host, "10.1.0.1");
        Assert.Contains("shop/pay.shop.svc.cluster.local", dump, StringComparison.Ordinal);
        Assert.DoesNotContain("futureField", await rig.GetAsync(host, "/debug/problems"), StringComparison.Ordinal);

        rig.Pod("pay-2", "pay", "10.1.0.2");
        await rig.DumpAsync(host, "10.1.0.2");
        rig.Delete("", "pods", "shop", "pay-1");
        await rig.DumpAsync(host, "10.1.0.1", present: false);
    }

    [Fact]
    public async Task Heartbeats_TranslateNothing()
    {
        await using var rig = await ClusterRig.StartAsync();
        // Somebody else's class of that name: then nothing of ours is written that would come back as a change.
        rig.Put("""{"apiVersion":"gateway.networking.k8s.io/v1","kind":"GatewayClass","metadata":{"name":"istio-waypoint"},"spec":{"controllerName":"example.com/other"} }""");
        rig.Put("""{"apiVersion":"v1","kind":"Node","metadata":{"name":"node-1","labels":{"topology.kubernetes.io/zone":"a"} },"status":{"conditions":[{"type":"Ready","status":"True","lastHeartbeatTime":"1"}]} }""");
        rig.Pod("pay-1", "pay", "10.1.0.1");
        var host = await rig.ControlPlaneAsync();
        await rig.DumpAsync(host, "10.1.0.1");
        var before = await Events(rig, host);

        for (var i = 0; i < 5; i++)
            rig.Put($$"""{"apiVersion":"v1","kind":"Node","metadata":{"name":"node-1","labels":{"topology.kubernetes.io/zone":"a"} },"status":{"conditions":[{"type":"Ready","status":"True","lastHeartbeatTime":"{{i}}"}]} }""");
        rig.Pod("pay-2", "pay", "10.1.0.2");
        await rig.DumpAsync(host, "10.1.0.2");

        Assert.Equal(before + 1, await Events(rig, host));
    }

    [Fact]
    public async Task Agent_GetsCertificatesOfPodsOnItsNode_AndOfNoOthers()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Pod("ztunnel-1", "ztunnel", "10.0.0.1", "node-1", "istio-system");
        rig.Pod("pay-1", "pay", "10.1.0.1", "node-1");
        rig.Pod("order-1", "order", "10.1.0.2", "node-2");
        var host = await rig.ControlPlaneAsync();
        var agent = rig.Server.Tokens.Issue("istio-system", "ztunnel", ["istio-ca"], TimeSpan.FromHours(1), "ztunnel-1");

        var chain = await rig.CertificateAsync(host, agent, "spiffe://cluster.local/ns/shop/sa/pay");
        Assert.Equal(2, chain.Count);

        foreach (var (token, identity) in new[]
        {
            (agent, "spiffe://cluster.local/ns/shop/sa/order"), // on another node
            (rig.Server.Tokens.Issue("istio-system", "ztunnel", ["istio-ca"], TimeSpan.FromHours(1)), "spiffe://cluster.local/ns/shop/sa/pay"), // bound to no pod
            (rig.Server.Tokens.Issue("istio-system", "ztunnel", ["other"], TimeSpan.FromHours(1), "ztunnel-1"), "spiffe://cluster.local/ns/shop/sa/pay"), // for somebody else
            (rig.Server.Tokens.Issue("shop", "order", ["istio-ca"], TimeSpan.FromHours(1)), "spiffe://cluster.local/ns/shop/sa/pay"), // no agent
            ("nonsense", "spiffe://cluster.local/ns/shop/sa/pay"),
        })
        {
            var refused = await Assert.ThrowsAsync<GrpcException>(() => rig.CertificateAsync(host, token, identity));
            Assert.Equal(GrpcStatusCode.Unauthenticated, refused.Status.Code);
        }

        // Its own pod is gone: its token, too.
        rig.Delete("", "pods", "istio-system", "ztunnel-1");
        await Assert.ThrowsAsync<GrpcException>(() => rig.CertificateAsync(host, agent, "spiffe://cluster.local/ns/shop/sa/pay"));
    }

    [Fact]
    public async Task ProxyThatRefuses_IsAnEventOnItsPod()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Pod("ztunnel-1", "ztunnel", "10.0.0.1", "node-1", "istio-system");
        var host = await rig.ControlPlaneAsync();
        using var channel = rig.Connect(host, rig.Server.Tokens.Issue("istio-system", "ztunnel", ["istio-ca"], TimeSpan.FromHours(1), "ztunnel-1"));
        await using var stream = await channel.StartDuplexAsync(GrpcMethods.DeltaAggregatedResources);
        await stream.WriteAsync(new Envoy.Service.Discovery.V3.DeltaDiscoveryRequest { TypeUrl = Mesh.Xds.XdsTypeUrls.Address, Node = new Envoy.Service.Discovery.V3.Node { Id = "ztunnel~10.0.0.1~ztunnel-1.istio-system~x" }, ResourceNamesSubscribe = { "*" } });
        var response = (await stream.ReadAsync())!;
        await stream.WriteAsync(new Envoy.Service.Discovery.V3.DeltaDiscoveryRequest { TypeUrl = Mesh.Xds.XdsTypeUrls.Address, ResponseNonce = response.Nonce, ErrorDetail = new Envoy.Service.Discovery.V3.Status { Code = 3, Message = "do not like it" } });

        var events = rig.Server.Store.FindKind("events.k8s.io", "v1", "events")!;
        await ClusterRig.UntilAsync(() => Task.FromResult(rig.Server.Store.List(events, "istio-system", Testing.Kubernetes.Storage.Selectors.Parse(events, null, null)).Items), list => list.Any(e =>
            (string?)e.Body["reason"] == "ConfigurationRefused" && (string?)e.Body["regarding"]!["name"] == "ztunnel-1" && ((string?)e.Body["note"])!.Contains("do not like it", StringComparison.Ordinal)), "an Event tells of the proxy that refuses");
        await rig.ReadyAsync(host, r => r.Contains("do not like it", StringComparison.Ordinal), "the readiness detail says so");
    }

    [Theory]
    [InlineData("istio.io/dataplane-mod", "ambient", "istio.io/dataplane-mode")]
    [InlineData("istio.io/dataplane-mode", "ambiant", "ambient, none")]
    public async Task LabelThatIsNearlyOurs_IsAnEventOnItsObject_AndCounted(string label, string value, string told)
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Put($$"""{"apiVersion":"v1","kind":"Pod","metadata":{"name":"typo","namespace":"shop","labels":{"{{label}}":"{{value}}"} },"spec":{"nodeName":"node-1"},"status":{"phase":"Running","podIP":"10.1.0.9"} }""");
        var host = await rig.ControlPlaneAsync();
        await rig.EventAsync("typo", "Suspicious", told);
        Assert.Contains("istiod_lite_problems{severity=\"warning\"} 1\n", await rig.GetAsync(host, "/metrics"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replicas_HaveOneRoot_OneWrites_AndTheOtherTakesOver()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Pod("pay-1", "pay", "10.1.0.1");
        var first = await rig.ControlPlaneAsync("a");
        await rig.ObjectAsync("", "configmaps", "shop", "istio-ca-root-cert", _ => true);
        var second = await rig.ControlPlaneAsync("b");

        // Both serve.
        await rig.DumpAsync(first, "10.1.0.1");
        await rig.DumpAsync(second, "10.1.0.1");
        var token = rig.Server.Tokens.Issue("shop", "pay", ["istio-ca"], TimeSpan.FromHours(1));
        Assert.Equal((await rig.CertificateAsync(first, token, null))[^1], (await rig.CertificateAsync(second, token, null))[^1]);
        Assert.Contains("istiod_lite_leader 1", await rig.GetAsync(first, "/metrics"), StringComparison.Ordinal);
        Assert.Contains("istiod_lite_leader 0", await rig.GetAsync(second, "/metrics"), StringComparison.Ordinal);

        await first.StopAsync(TimeSpan.FromSeconds(1));
        await first.DisposeAsync();
        rig.Forget(first);
        rig.Delete("", "configmaps", "shop", "istio-ca-root-cert");

        await rig.ObjectAsync("", "configmaps", "shop", "istio-ca-root-cert", _ => true);
    }

    [Fact]
    public async Task Roots_AreInEveryNamespace_AndPutRightWhenChangedByHand()
    {
        await using var rig = await ClusterRig.StartAsync();
        await rig.ControlPlaneAsync();
        var roots = await rig.ObjectAsync("", "configmaps", "shop", "istio-ca-root-cert", c => c["data"]?["root-cert.pem"] is not null);
        Assert.Equal("true", (string?)roots["metadata"]!["labels"]!["istio.io/config"]);
        await rig.ObjectAsync("", "configmaps", "kube-system", "istio-ca-root-cert", _ => true);
        Assert.Null(rig.Server.Get("", "configmaps", "kube-public", "istio-ca-root-cert"));

        rig.Put("""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"istio-ca-root-cert","namespace":"shop"},"data":{"root-cert.pem":"forged"} }""");
        await rig.ObjectAsync("", "configmaps", "shop", "istio-ca-root-cert", c => (string?)c["data"]?["root-cert.pem"] == (string?)roots["data"]!["root-cert.pem"]);
        rig.Put("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"late"} }""");
        await rig.ObjectAsync("", "configmaps", "late", "istio-ca-root-cert", _ => true);
    }

    [Fact]
    public async Task Statuses_AreWrittenByTheirManagers_KeepTheirTimes_AndAreRemoved()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Service("pay", """{"istio.io/use-waypoint":"missing"}""");
        rig.Put("""{"apiVersion":"security.istio.io/v1","kind":"AuthorizationPolicy","metadata":{"name":"p","namespace":"shop"},"spec":{"rules":[{"from":[{"source":{"namespaces":["shop"]} }]}]} }""");
        await rig.ControlPlaneAsync();

        var service = await rig.ObjectAsync("", "services", "shop", "pay", s => s["status"]?["conditions"] is JsonArray { Count: 1 });
        var condition = service["status"]!["conditions"]![0]!;
        Assert.Equal(("istio.io/WaypointBound", "False", "WaypointIsNotReady"), ((string)condition["type"]!, (string)condition["status"]!, (string)condition["reason"]!));
        Assert.NotNull(condition["lastTransitionTime"]);
        var manager = Assert.Single(service["metadata"]!["managedFields"]!.AsArray(), m => (string?)m!["subresource"] == "status");
        Assert.Equal(("istio-ambient-service", "Apply"), ((string)manager!["manager"]!, (string)manager["operation"]!));
        await rig.ObjectAsync("security.istio.io", "authorizationpolicies", "shop", "p", p => (string?)p["status"]?["conditions"]?[0]?["type"] == "ZtunnelAccepted");

        rig.Service("pay");
        await rig.ObjectAsync("", "services", "shop", "pay", s => s["status"]?["conditions"] is null or JsonArray { Count: 0 });
    }

    [Fact]
    public async Task StatusWritesThatFail_AreSaid_AndMadeUpFor_WhileTheMeshIsServed()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Server.Faults.Add(new Fault { Method = "PATCH", Path = "/status$", Status = 500, Body = """{"kind":"Status","status":"Failure","message":"etcd is full","code":500}""" });
        rig.Service("pay", """{"istio.io/use-waypoint":"missing"}""");
        rig.Pod("pay-1", "pay", "10.1.0.1");
        var host = await rig.ControlPlaneAsync();
        await rig.DumpAsync(host, "10.1.0.1");

        var ready = await rig.ReadyAsync(host, r => r.Contains("etcd is full", StringComparison.Ordinal), "the failure is in the readiness detail");
        Assert.StartsWith("ready", ready, StringComparison.Ordinal);
        Assert.Contains("istiod_lite_faults{part=\"status\"} 1", await rig.GetAsync(host, "/metrics"), StringComparison.Ordinal);
        rig.Server.Faults.Clear();

        await rig.ObjectAsync("", "services", "shop", "pay", s => s["status"]?["conditions"] is JsonArray { Count: 1 });
        await rig.ReadyAsync(host, r => r == "ready\n", "nothing is wrong any more");
    }

    [Fact]
    public async Task StatusOfAKindThatCannotBeLookedUp_IsOwed_SaidAndWritten()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Put("""{"apiVersion":"gateway.networking.k8s.io/v1","kind":"GatewayClass","metadata":{"name":"istio-waypoint"},"spec":{"controllerName":"istio.io/mesh-controller"} }""");
        var host = await rig.OpenAsync("istiod-a");
        // The watch is open when discovery begins to fail: the lists have been made, the leader has not begun.
        rig.Server.Faults.Add(new Fault { Method = "POST", Path = "/leases$", Status = 503, Body = "{}" });
        await host.StartAsync(CancellationToken.None).WaitAsync(ClusterRig.Patience);
        rig.Server.Faults.Clear();
        rig.Server.Faults.Add(new Fault { Method = "GET", Path = "^/apis/gateway.networking.k8s.io/v1(beta1)?$", Status = 404, ContentType = "text/plain", Body = "404 page not found\n" });

        await rig.ReadyAsync(host, r => r.Contains("does not serve GatewayClass now", StringComparison.Ordinal), "the readiness detail says which status is owed");
        rig.Server.Faults.Clear();

        await rig.ObjectAsync("gateway.networking.k8s.io", "gatewayclasses", "", "istio-waypoint", c => c["status"]?["conditions"] is JsonArray { Count: 1 });
        await rig.ReadyAsync(host, r => r == "ready\n", "nothing is wrong any more");
    }

    [Fact]
    public async Task ObjectMadeAnewUnderItsName_GetsItsStatusAgain()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Service("pay", """{"istio.io/use-waypoint":"missing"}""");
        await rig.ControlPlaneAsync();
        await rig.ObjectAsync("", "services", "shop", "pay", s => s["status"]?["conditions"] is JsonArray { Count: 1 });

        // Both at once, so that nobody sees the time between them.
        var uid = (string)rig.Server.Get("", "services", "shop", "pay")!["metadata"]!["uid"]!;
        rig.Delete("", "services", "shop", "pay");
        rig.Service("pay", """{"istio.io/use-waypoint":"missing"}""");

        var anew = await rig.ObjectAsync("", "services", "shop", "pay", s => s["status"]?["conditions"] is JsonArray { Count: 1 });
        Assert.NotEqual(uid, (string?)anew["metadata"]!["uid"]);
    }

    [Fact]
    public async Task ApiServerAway_TheLastStateIsServed_AndWhatWasMissedIsMadeUpFor()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Pod("pay-1", "pay", "10.1.0.1");
        rig.Pod("pay-2", "pay", "10.1.0.2");
        var host = await rig.ControlPlaneAsync();
        await rig.DumpAsync(host, "10.1.0.2");

        await rig.Server.StopAsync();
        await rig.ReadyAsync(host, r => r.Contains("pods: retrying", StringComparison.Ordinal) && r.Contains("does not answer", StringComparison.Ordinal), "the readiness detail says what is wrong");
        Assert.Contains("10.1.0.1", await rig.GetAsync(host, "/debug/config_dump"), StringComparison.Ordinal);
        // Somebody whose token cannot be reviewed shall come again: that is no refusal.
        rig.Delete("", "pods", "shop", "pay-1");
        rig.Server.ForgetHistory();
        await rig.Server.StartAsync();

        await rig.DumpAsync(host, "10.1.0.1", present: false);
        await rig.ReadyAsync(host, r => r == "ready\n", "nothing is wrong any more");
    }

    [Fact]
    public async Task AuthorityPluggedIn_WhileRunning_SignsAndIsGivenOut_UnlessItsRootsAreStrangers()
    {
        await using var rig = await ClusterRig.StartAsync();
        var host = await rig.ControlPlaneAsync();
        var old = System.Text.Encoding.ASCII.GetString(Convert.FromBase64String((string)rig.Server.Get("", "secrets", "istio-system", "istio-ca-secret")!["data"]!["root-cert.pem"]!));
        using var other = new Testing.TestCertificateAuthority(name: "other");
        using var key = System.Security.Cryptography.X509Certificates.ECDsaCertificateExtensions.GetECDsaPrivateKey(other.Root)!;
        void Plug(string roots) => rig.Put(new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Secret",
            ["metadata"] = new JsonObject { ["name"] = "cacerts", ["namespace"] = "istio-system" },
            ["data"] = new JsonObject(new[] { ("ca-cert.pem", other.RootPem), ("ca-key.pem", key.ExportPkcs8PrivateKeyPem()), ("root-cert.pem", roots) }
                .Select(p => new KeyValuePair<string, JsonNode?>(p.Item1, Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(p.Item2))))),
        }.ToJsonString());

        Plug(other.RootPem);
        await rig.ReadyAsync(host, r => r.Contains("nothing in common", StringComparison.Ordinal), "strangers are refused");
        Plug(old + "\n" + other.RootPem);

        await rig.ObjectAsync("", "configmaps", "shop", "istio-ca-root-cert", c => ((string?)c["data"]!["root-cert.pem"])!.Contains(other.RootPem.Trim(), StringComparison.Ordinal));
        await rig.ReadyAsync(host, r => r == "ready\n", "nothing is wrong any more");
    }

    [Fact]
    public async Task OwnTokenThatExpired_TheLastStateIsServed_UntilThereIsANewOne()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Pod("pay-1", "pay", "10.1.0.1");
        var host = await rig.ControlPlaneAsync();
        await rig.DumpAsync(host, "10.1.0.1");

        rig.Server.Tokens.Remove(rig.Token);
        rig.Server.EndWatches();
        await rig.ReadyAsync(host, r => r.Contains("pods: retrying", StringComparison.Ordinal) && r.Contains("401 Unauthorized", StringComparison.Ordinal), "the readiness detail says that nobody lets us in");
        Assert.Contains("10.1.0.1", await rig.GetAsync(host, "/debug/config_dump"), StringComparison.Ordinal);
        rig.Pod("pay-2", "pay", "10.1.0.2");
        rig.Server.ActAs(Testing.Repository.Manifest, "istio-system", "istiod");

        await rig.DumpAsync(host, "10.1.0.2");
    }

    [Fact]
    public async Task TokenThatCannotBeReviewed_IsNoRefusal()
    {
        await using var rig = await ClusterRig.StartAsync();
        var host = await rig.ControlPlaneAsync();
        var token = rig.Server.Tokens.Issue("shop", "default", ["istio-ca"], TimeSpan.FromHours(1));
        rig.Server.Faults.Add(new Fault { Path = "tokenreviews", Status = 500, Body = "{}" });

        var failed = await Assert.ThrowsAsync<GrpcException>(() => rig.CertificateAsync(host, token, null));

        Assert.Equal(GrpcStatusCode.Unavailable, failed.Status.Code);
        rig.Server.Faults.Clear();
        Assert.NotEmpty(await rig.CertificateAsync(host, token, null));
    }

    [Fact]
    public async Task KindInstalledLater_IsFound_AndRemovedWhileWatched_IsGone()
    {
        await using var rig = await ClusterRig.StartAsync(meshKinds: false);
        rig.Pod("pay-1", "pay", "10.1.0.1");
        var host = await rig.ControlPlaneAsync();
        await rig.DumpAsync(host, "10.1.0.1");

        rig.Server.InstallMeshKinds();
        rig.Put("""{"apiVersion":"security.istio.io/v1","kind":"AuthorizationPolicy","metadata":{"name":"only-here","namespace":"shop"},"spec":{"rules":[{"from":[{"source":{"namespaces":["shop"]} }]}]} }""");
        await rig.DumpAsync(host, "only-here");
        rig.Delete("apiextensions.k8s.io", "customresourcedefinitions", "", "authorizationpolicies.security.istio.io");

        await rig.DumpAsync(host, "only-here", present: false);
        await rig.ReadyAsync(host, r => r == "ready\n", "a kind that is not installed is no fault");
    }

    [Fact]
    public async Task ServerThatIsSlowAndTruncates_AtTheStart_IsWaitedFor()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Pod("pay-1", "pay", "10.1.0.1");
        rig.Server.Faults.Add(new Fault { Path = "/pods$", Method = "GET", Times = 2, Status = 200, Body = """{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[{"metad""" });
        rig.Server.Faults.Add(new Fault { Path = "/services$", Method = "GET", Times = 2, Status = 429, RetryAfter = 1, ContentType = "text/plain", Body = "Too many requests, please try again later.\n" });

        var host = await rig.ControlPlaneAsync();

        await rig.DumpAsync(host, "10.1.0.1");
    }

    [Fact]
    public async Task ServerThatRepeatsReordersAndCuts_TheEndIsWhatItHas()
    {
        await using var rig = await ClusterRig.StartAsync();
        var host = await rig.ControlPlaneAsync();
        rig.Server.Faults.Add(new Fault { Method = "WATCH", Path = "/pods$", Truncate = true, Times = 1 });
        rig.Server.Faults.Add(new Fault { Method = "WATCH", Path = "/(pods|services)$", Duplicate = true, Reverse = true });
        rig.Server.EndWatches();
        for (var i = 1; i <= 20; i++)
        {
            rig.Service($"s{i}");
            rig.Pod($"p{i}", $"s{i}", $"10.2.0.{i}");
            if (i % 2 == 0)
                rig.Delete("", "pods", "shop", $"p{i}");
            if (i % 3 == 0)
                rig.Delete("", "services", "shop", $"s{i}");
        }

        // No watch ends meanwhile: what a server leaves out between a later event and its end is asked for by nobody.
        // The last one of each, and then none that is gone.
        await rig.DumpAsync(host, "10.2.0.19");
        await rig.DumpAsync(host, "shop/s20.shop.svc.cluster.local");
        var dump = await ClusterRig.UntilAsync(() => rig.GetAsync(host, "/debug/config_dump"), d =>
            Enumerable.Range(1, 20).All(i => System.Text.RegularExpressions.Regex.IsMatch(d, $@"10\.2\.0\.{i}\b") == (i % 2 != 0) && d.Contains($"shop/s{i}.shop.svc", StringComparison.Ordinal) == (i % 3 != 0)), "all that is there and nothing else is in force");
        Assert.NotEmpty(dump);
    }

    private static async Task<int> Events(ClusterRig rig, ControlPlaneHost host) =>
        (await rig.GetAsync(host, "/metrics")).Split('\n').Where(l => l.StartsWith("pilot_k8s_cfg_events", StringComparison.Ordinal)).Select(l => int.Parse(l.Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture)).Single();
}
