using System.Text.Json.Nodes;
using Mesh.Testing.Kubernetes.Serving;

namespace Mesh.IstiodLite.Tests.OnKubernetes;

/// <summary>What the chart lets the control plane do, held against what it does. That nothing is refused is checked by <see cref="ClusterRig"/> in every test.</summary>
public sealed class RightsTests
{
    private static readonly string[] _madeElsewhere = ["ClusterRole mesh-istiod: create gatewayclasses.gateway.networking.k8s.io", "ClusterRole mesh-istiod: patch gatewayclasses.gateway.networking.k8s.io"];

    /// <summary>One of everything that is answered, made or put right; then no right is left over.</summary>
    [Fact]
    public async Task Rights_OfTheChart_AreExactlyThoseThatAreUsed()
    {
        await using var rig = await ClusterRig.StartAsync();
        foreach (var item in Testing.Kubernetes.ManifestFile.Read(Testing.Repository.Manifest).Where(o => (string?)o["kind"] is "ValidatingWebhookConfiguration" or "CustomResourceDefinition"))
            rig.Server.Store.Put(item);
        rig.Pod("pay-1", "pay", "10.1.0.1");
        rig.Service("pay", """{"istio.io/use-waypoint":"missing"}""");
        // There from the start, so that its answers are; that it is made where it is missing is seen by WaypointTests.
        rig.Put("""{"apiVersion":"gateway.networking.k8s.io/v1","kind":"GatewayClass","metadata":{"name":"istio-waypoint"},"spec":{"controllerName":"istio.io/mesh-controller"} }""");
        rig.Service("bound", """{"istio.io/use-waypoint":"wp"}""");
        rig.Put("""
            {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"options","namespace":"shop"},"data":{"horizontalPodAutoscaler":"spec: {minReplicas: 2, maxReplicas: 5}","podDisruptionBudget":"spec: {minAvailable: 1}"} }
            """);
        rig.Put("""
            {"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"wp","namespace":"shop"},
             "spec":{"gatewayClassName":"istio-waypoint","listeners":[{"name":"mesh","port":15008,"protocol":"HBONE"}],"infrastructure":{"parametersRef":{"group":"","kind":"ConfigMap","name":"options"} } } }
            """);
        rig.Put(Document("networking.istio.io/v1", "ServiceEntry", "outside", """{"hosts":["outside.example.com"],"location":"MESH_EXTERNAL","resolution":"STATIC","ports":[{"number":80,"name":"http","protocol":"HTTP"}],"endpoints":[{"address":"192.0.2.1"}]}""", """{"istio.io/use-waypoint":"missing"}"""));
        rig.Put(Document("networking.istio.io/v1", "WorkloadEntry", "machine", """{"address":"192.0.2.2"}""", """{"istio.io/use-waypoint":"missing"}"""));
        rig.Put(Document("security.istio.io/v1", "AuthorizationPolicy", "policy", """{"rules":[{"from":[{"source":{"namespaces":["shop"]}}]}]}"""));
        rig.Put(Document("policy.mesh/v1alpha1", "RateLimitPolicy", "limit", """{"targetRefs":[{"kind":"Gateway","group":"gateway.networking.k8s.io","name":"wp"}],"rules":[{"name":"r","local":{"requests":1}}]}"""));
        foreach (var (version, kind) in new[] { ("v1", "HTTPRoute"), ("v1", "GRPCRoute"), ("v1alpha2", "TCPRoute"), ("v1alpha2", "TLSRoute") })
            rig.Put(Document($"gateway.networking.k8s.io/{version}", kind, "route", """{"parentRefs":[{"group":"","kind":"Service","name":"pay"}],"rules":[{"backendRefs":[{"name":"pay","port":80}]}]}"""));
        rig.Put(Document("gateway.networking.k8s.io/v1", "BackendTLSPolicy", "tls", """{"targetRefs":[{"group":"","kind":"Service","name":"bound"}],"validation":{"hostname":"pay.example.com","wellKnownCACertificates":"System"}}"""));
        // What is wrong is said at each look: the same Event twice is a series.
        rig.Put("""
            {"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"odd","namespace":"shop"},
             "spec":{"gatewayClassName":"istio-waypoint","listeners":[{"name":"mesh","port":15008,"protocol":"HBONE"}],"infrastructure":{"parametersRef":{"group":"","kind":"ConfigMap","name":"absent"} } } }
            """);
        rig.Put(Document("networking.istio.io/v1", "VirtualService", "stray", """{"hosts":["nobody"],"http":[{"route":[{"destination":{"host":"nobody"}}]}]}"""));

        var host = await rig.ControlPlaneAsync();
        rig.Server.Webhooks.Route("istio-system", "istiod", new Uri($"https://{host.WebhookEndPoint}"));
        await rig.ObjectAsync("policy", "poddisruptionbudgets", "shop", "wp", _ => true);
        var token = rig.Server.Tokens.Issue("shop", "default", ["istio-ca"], TimeSpan.FromHours(1));
        await rig.CertificateAsync(host, token, null);

        await ClusterRig.UntilAsync(() => UnusedAsync(rig, host), unused => unused.Length == 0, "every right of the chart is used");
        foreach (var (group, plural) in new[] { ("apps", "deployments"), ("", "services"), ("", "serviceaccounts"), ("autoscaling", "horizontalpodautoscalers"), ("policy", "poddisruptionbudgets") })
            Assert.Empty(Testing.Kubernetes.Schemas.StrictFields.Check(rig.Server.Get(group, plural, "shop", "wp")!));
    }

    /// <summary>Empty when none is left; otherwise with what the control plane says of itself and what it has answered.</summary>
    private static async Task<string> UnusedAsync(ClusterRig rig, ControlPlaneHost host)
    {
        var unused = rig.Coverage.Unused.Where(u => !_madeElsewhere.Contains(u, StringComparer.Ordinal)).ToList();
        return unused.Count == 0
            ? string.Empty
            : $"""
            {string.Join('\n', unused)}
            {await rig.GetAsync(host, "/ready")}
            {rig.Server.Get("gateway.networking.k8s.io", "gateways", "shop", "wp")?["status"]}
            {rig.Server.Get("gateway.networking.k8s.io", "backendtlspolicies", "shop", "tls")}
            {rig.Server.Get("", "services", "shop", "wp")?["spec"]}
            {rig.Server.Get("", "services", "shop", "bound")?["status"]}
            """;
    }

    private static string Document(string version, string kind, string name, string spec, string labels = "{}") => new JsonObject
    {
        ["apiVersion"] = version,
        ["kind"] = kind,
        ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = "shop", ["labels"] = JsonNode.Parse(labels) },
        ["spec"] = JsonNode.Parse(spec),
    }.ToJsonString();
}
