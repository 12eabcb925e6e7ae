using System.Text.Json.Nodes;
using Mesh.IstiodLite.Admin;
using Mesh.IstiodLite.Translation;
using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Tests.Waypoints;

/// <summary>GRPCRoute, TCPRoute, TLSRoute, delegated VirtualServices and the rarer fields of DestinationRule.</summary>
public sealed class OtherRouteTests
{
    private const string Database = """
        apiVersion: v1
        kind: Service
        metadata: { name: db }
        spec: { clusterIP: 198.19.0.2, selector: { app: payment }, ports: [ { name: tcp, port: 5432, targetPort: 8080 } ] }
        ---

        """;

    private static string Route(string kind, string version, string parent, string rules) =>
        $"apiVersion: gateway.networking.k8s.io/{version}\nkind: {kind}\nmetadata: {{ name: r }}\nspec:\n  parentRefs: [ {{ kind: Service, group: '', name: {parent} }} ]\n  rules: {rules}\n---\n";

    private static string Virtual(string name, string spec) => $"apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{ name: {name} }}\nspec: {{ {spec} }}\n---\n";

    private static string Rule(string policy) => $"apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{ name: d }}\nspec: {{ host: payment, trafficPolicy: {{ {policy} }} }}\n---\n";

    private static Translated Translate(params string[] more) =>
        Documents.Translate([Documents.PaymentService, Documents.PaymentWaypoint, Documents.Pod("p", "payment", "198.18.2.2"), Database, .. more]);

    private static ServicePort Port(Translated mesh, string service) => ((Service)mesh.Waypoints["default/payment-waypoint"].Services[$"default/{service}.default.svc.cluster.local"]).Ports[0];

    private static Cluster Cluster(Translated mesh) => (Cluster)mesh.Waypoints["default/payment-waypoint"].Clusters["default/payment.default.svc.cluster.local|80|"];

    [Theory]
    [InlineData("{ service: shop.Cart, method: Add }", "exact /shop.Cart/Add")]
    [InlineData("{ service: shop.Cart }", "prefix /shop.Cart")]
    [InlineData("{ method: Add }", "regex /[^/]+/Add")]
    [InlineData("{ type: RegularExpression, service: 'shop[.].*', method: 'A.*' }", "regex /shop[.].*/A.*")]
    public void GrpcRoute_MatchesTheMethodAsAPath(string method, string expected)
    {
        var mesh = Translate(Route("GRPCRoute", "v1", "payment", $"[ {{ matches: [ {{ method: {method}, headers: [ {{ name: x, value: y }} ] }} ], backendRefs: [ {{ name: payment, port: 80 }} ] }} ]"));
        var route = Port(mesh, "payment").HttpRoutes[0];
        var match = Assert.Single(route.Matches);
        Assert.Equal(expected, match.PathSeparatedPrefix.Length > 0 ? $"prefix {match.PathSeparatedPrefix}" : match.Path.HasExact ? $"exact {match.Path.Exact}" : $"regex {match.Path.Regex}");
        Assert.Equal("y", Assert.Single(match.Headers).Value.Exact);
        Assert.Equal(("GRPCRoute default/r", "default/payment.default.svc.cluster.local|80|"), (route.Origin, Assert.Single(route.Forward.Clusters).Cluster));
    }

    [Theory]
    [InlineData("TCPRoute", "v1alpha2", "")]
    [InlineData("TLSRoute", "v1", "db.default.svc.cluster.local")]
    public void L4Route_SplitsConnectionsByWeight(string kind, string version, string hostname)
    {
        var text = Route(kind, version, "db", "[ { backendRefs: [ { name: db, port: 5432, weight: 3 }, { name: payment, port: 80, weight: 1 }, { name: ghost, port: 1, weight: 1 } ] } ]");
        if (hostname.Length > 0)
            text = text.Replace("spec:\n", $"spec:\n  hostnames: [ {hostname} ]\n", StringComparison.Ordinal);
        var route = Assert.Single(Port(Translate(text), "db").TcpRoutes);
        Assert.Equal([(3u, false), (1u, false), (1u, true)], route.Clusters.Select(c => (c.Weight, c.InvalidBackend)));
        Assert.Equal($"{kind} default/r", route.Origin);
    }

    [Fact]
    public void TlsRoute_ForOtherNames_IsNotInForceAndSaysSo()
    {
        var mesh = Translate(Route("TLSRoute", "v1", "db", "[ { backendRefs: [ { name: payment, port: 80 } ] } ]").Replace("spec:\n", "spec:\n  hostnames: [ other.example ]\n", StringComparison.Ordinal));
        Assert.Empty(Assert.Single(Port(mesh, "db").TcpRoutes).Origin);
        Assert.Contains(mesh.Problems, p => p.Document == "TLSRoute default/r" && p.Reason.Contains("is not in force", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("GRPCRoute", "v1", "payment")]
    [InlineData("TCPRoute", "v1alpha2", "db")]
    public void Route_StatusIsPerParent(string kind, string version, string parent)
    {
        var mesh = Translate(Route(kind, version, $"{parent} }}, {{ kind: Service, group: '', name: ghost", "[ { backendRefs: [ { name: payment, port: 80 } ] } ]"));
        var status = Assert.Single(TranslationJson.Statuses(mesh), s => (string)s!["kind"]! == kind)!;
        var accepted = status["status"]!["parents"]!.AsArray().Select(p => (string)p!["conditions"]!.AsArray().Single(c => (string)c!["type"]! == "Accepted")!["status"]!);
        Assert.Equal(["True", "False"], accepted);
    }

    [Fact]
    public void Delegate_TakesTheDelegatedRoutes_WhereBothMatch()
    {
        var mesh = Translate(
            Virtual("root", "hosts: [payment], http: [ { match: [ { uri: { prefix: /a } } ], timeout: 3s, delegate: { name: leaf } }, { route: [ { destination: { host: payment } } ] } ]"),
            Virtual("leaf", "http: [ { match: [ { uri: { prefix: /a/b }, headers: { x: { exact: y } } } ], route: [ { destination: { host: db } } ] }, { match: [ { uri: { prefix: /c } } ], route: [ { destination: { host: db } } ] } ]"));
        var routes = Port(mesh, "payment").HttpRoutes;
        Assert.Equal(["VirtualService default/leaf", "VirtualService default/root"], routes.Select(r => r.Origin));
        Assert.Equal(("/a/b", "x", 3), (routes[0].Matches[0].Path.Prefix, routes[0].Matches[0].Headers[0].Name, routes[0].Forward.Timeout.Seconds));
        Assert.Contains(mesh.Problems, p => p.Document == "VirtualService default/leaf" && p.Reason.Contains("can never match", StringComparison.Ordinal));
    }

    [Fact]
    public void Delegate_ThatIsMissing_Answers503AndIsNamed()
    {
        var mesh = Translate(Virtual("root", "hosts: [payment], http: [ { delegate: { name: ghost } } ]"));
        Assert.Equal(503u, Assert.Single(Port(mesh, "payment").HttpRoutes).DirectResponse.Status);
        Assert.Contains(mesh.Problems, p => p.Reason.Contains("delegates to VirtualService default/ghost, which does not exist", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("tunnel: { targetHost: proxy.example, targetPort: 3128 }", "tunnel")]
    [InlineData("proxyProtocol: { version: V2 }", "proxyProtocol")]
    [InlineData("tls: { mode: MUTUAL, credentialName: secret }", "tls.credentialName")]
    public void Rule_ThatCannotBeHonoured_RefusesInsteadOfBeingLeftOut(string policy, string field)
    {
        var mesh = Translate(Rule(policy));
        Assert.Empty(Cluster(mesh).Endpoints);
        Assert.Contains(mesh.Problems, p => p.Document == "DestinationRule default/d" && p.Severity is Resources.ProblemSeverity.Error && p.Reason.StartsWith(field + " is not supported", StringComparison.Ordinal));
    }

    [Fact]
    public void Rule_WithClientCertificateAndBudget_IsPassedOn()
    {
        var cluster = Cluster(Translate(Rule("tls: { mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem, caCertificates: /ca.pem }, retryBudget: { percent: 30, minRetryConcurrency: 4 }")));
        Assert.Equal(("/c.pem", "/k.pem", "/ca.pem"), (cluster.Tls.CertificateChainFile, cluster.Tls.PrivateKeyFile, cluster.Tls.CaCertificatesFile));
        Assert.Equal((30d, 4u), (cluster.ConnectionPool.RetryBudget.Percent, cluster.ConnectionPool.RetryBudget.MinConcurrency));
        Assert.Single(cluster.Endpoints);
    }

    [Fact]
    public void Distribute_GivesLocalitiesTheirShares()
    {
        static string Node(string name, string zone) => $"apiVersion: v1\nkind: Node\nmetadata: {{ name: {name}, labels: {{ topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: {zone} }} }}\n---\n";
        var mesh = Translate(
            Node("node-1", "a"), Node("node-2", "b"), Node("node-3", "c"),
            Documents.Pod("q", "payment", "198.18.2.3", node: "node-2"), Documents.Pod("r", "payment", "198.18.2.4", node: "node-2"), Documents.Pod("s", "payment", "198.18.2.5", node: "node-3"),
            Documents.Pod("w", "payment", "198.18.2.9", "gateway.networking.k8s.io/gateway-name: payment-waypoint"),
            Rule("loadBalancer: { localityLbSetting: { distribute: [ { from: eu/a/*, to: { eu/a/*: 80, eu/b/*: 20 } } ] } }"));
        Assert.Equal([("p", 80_000u), ("q", 10_000u), ("r", 10_000u)], Cluster(mesh).Endpoints.Select(e => (e.WorkloadUid[^1..], e.Weight)));
    }

    [Fact]
    public void BackendTlsPolicy_SpeaksTlsWithItsTargets_AndRefusesWithoutItsAuthority()
    {
        const string policy = "apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: t }\nspec:\n  targetRefs: [ { group: '', kind: Service, name: payment, sectionName: http } ]\n  validation: { hostname: payment.example, caCertificateRefs: [ { group: '', kind: ConfigMap, name: ca } ] }\n---\n";
        const string authority = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ca }\ndata: { ca.crt: PEM }\n";
        var cluster = Cluster(Translate(policy, authority));
        Assert.Equal((ClientTls.Types.Mode.Simple, "payment.example", "PEM", "payment.example"), (cluster.Tls.Mode, cluster.Tls.Sni, cluster.Tls.CaCertificatesPem, Assert.Single(cluster.Tls.SubjectAltNames)));
        Assert.Single(cluster.Endpoints);
        var refused = Translate(policy);
        Assert.Empty(Cluster(refused).Endpoints);
        Assert.Contains(refused.Problems, p => p.Document == "BackendTLSPolicy default/t" && p.Reason.Contains("ConfigMap default/ca", StringComparison.Ordinal));
    }

    [Fact]
    public void KindsOfIstiosProxies_AreLetInAndNamed()
    {
        var file = Documents.Parse("apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: { name: e }\n---\napiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: { name: g }\n");
        Assert.Contains("has no effect in this mesh", Assert.Single(file.Problems).Reason, StringComparison.Ordinal);
        Assert.DoesNotContain(file.Documents, d => d.IsRefused);
    }
}
