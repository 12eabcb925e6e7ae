using Mesh.IstiodLite.Translation;
using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Tests.Waypoints;

public sealed class RouteTests
{
    private const string Payment = "default/payment.default.svc.cluster.local";
    private static readonly string _pod = Documents.Pod("p1", "payment", "198.18.2.2");

    private static ServicePort Port(params string[] more) => Configuration(more).Port;

    private static (ServicePort Port, IReadOnlyList<Resources.Problem> Problems, Translated Mesh) Configuration(params string[] more)
    {
        var mesh = Documents.Translate([Documents.PaymentService, Documents.PaymentWaypoint, _pod, .. more]);
        return (Assert.Single(((Service)mesh.Waypoints["default/payment-waypoint"].Services[Payment]).Ports), mesh.Problems, mesh);
    }

    private static string Virtual(string http, string name = "v", string ns = "default") =>
        $"apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{ name: {name}, namespace: {ns} }}\nspec:\n  hosts: [payment.default.svc.cluster.local]\n  http:\n{http}";

    private static string Gateway(string rules, string name = "r") =>
        $"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{ name: {name} }}\nspec:\n  parentRefs: [ {{ group: '', kind: Service, name: payment, port: 80 }} ]\n  rules:\n{rules}";

    [Fact]
    public void Port_WithoutRoutes_GoesToTheServiceWithTheDefaultRetries()
    {
        var port = Port();
        Assert.Equal($"{Payment}|80|", port.DefaultCluster);
        var route = Assert.Single(port.HttpRoutes);
        Assert.Empty(route.Matches);
        Assert.Null(route.Forward.Timeout);
        Assert.Equal(["connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes"], route.Forward.Retry.RetryOn);
    }

    [Fact]
    public void Match_OnAnotherPortOrSourceLabels_IsLeftOut()
    {
        var port = Port(Virtual("""
              - match: [ { port: 81, uri: { prefix: /a } }, { sourceLabels: { app: x } } ]
                route: [ { destination: { host: payment } } ]
              - match: [ { port: 80, uri: { exact: /b }, headers: { x: { regex: "y.*" } }, withoutHeaders: { z: {} } } ]
                timeout: 2s
                retries: { attempts: 0 }
                route: [ { destination: { host: payment } } ]
            """));
        var route = Assert.Single(port.HttpRoutes);
        var match = Assert.Single(route.Matches);
        Assert.Equal(("/b", "y.*", true), (match.Path.Exact, match.Headers[0].Value.Regex, match.Headers[1].Invert));
        Assert.Equal(2, route.Forward.Timeout.Seconds);
        Assert.Null(route.Forward.Retry);
        Assert.Empty(port.DefaultCluster);
    }

    [Fact]
    public void Match_OnClaims_KeepsTheNamesAsWritten()
    {
        var port = Port(Virtual("""
              - match: [ { headers: { "@request.auth.claims.Group": { exact: ops }, "@request.auth.claims[a][b.c]": {} }, withoutHeaders: { "@request.auth.claims.x": { prefix: y } } } ]
                route: [ { destination: { host: payment } } ]
            """));
        Assert.Equal(
            [("@request.auth.claims.Group", "ops", false), ("@request.auth.claims[a][b.c]", string.Empty, false), ("@request.auth.claims.x", "y", true)],
            port.HttpRoutes[0].Matches[0].Headers.Select(h => (h.Name, h.Value.Exact + h.Value.Prefix, h.Invert)));
    }

    [Fact]
    public void CatchAll_EndsTheList()
    {
        var port = Port(Virtual("""
              - route: [ { destination: { host: payment } } ]
              - match: [ { uri: { prefix: /never } } ]
                route: [ { destination: { host: payment } } ]
            """), Virtual("  - route: [ { destination: { host: payment } } ]\n", "w"));
        Assert.Single(port.HttpRoutes);
    }

    [Fact]
    public void VirtualService_OfAThirdNamespaceOrForAGateway_IsNotUsed()
    {
        var other = Virtual("  - fault: { abort: { httpStatus: 500, percentage: { value: 100 } } }\n    route: [ { destination: { host: payment.default.svc.cluster.local } } ]\n", ns: "elsewhere");
        var ingress = Virtual("  - fault: { abort: { httpStatus: 500, percentage: { value: 100 } } }\n    route: [ { destination: { host: payment } } ]\n", "g").Replace("spec:\n", "spec:\n  gateways: [ingress]\n", StringComparison.Ordinal);
        Assert.Null(Assert.Single(Port(other, ingress).HttpRoutes).Fault);
    }

    [Fact]
    public void Weights_ZeroIsLeftOutAndASingleOneTakesAll()
    {
        var port = Port(Virtual("  - route: [ { destination: { host: payment }, weight: 0 } ]\n"));
        Assert.Equal(1u, Assert.Single(port.HttpRoutes[0].Forward.Clusters).Weight);
        port = Port(Virtual("  - route: [ { destination: { host: payment }, weight: 0 }, { destination: { host: payment, port: { number: 80 } }, weight: 7 } ]\n"));
        Assert.Equal(7u, Assert.Single(port.HttpRoutes[0].Forward.Clusters).Weight);
    }

    [Fact]
    public void Destination_Unknown_IsReportedAndHasNoCluster()
    {
        var (port, problems, mesh) = Configuration(Virtual("  - route: [ { destination: { host: ghost } } ]\n"));
        var cluster = Assert.Single(port.HttpRoutes[0].Forward.Clusters).Cluster;
        Assert.DoesNotContain(cluster, mesh.Waypoints["default/payment-waypoint"].Clusters.Keys);
        Assert.Contains(problems, p => p.Line == 7 && p.Reason.Contains("ghost.default.svc.cluster.local", StringComparison.Ordinal));
    }

    [Fact]
    public void RetryOn_WithStatusCodes_IsSplit()
    {
        var retry = Port(Virtual("  - retries: { attempts: 3, perTryTimeout: 250ms, retryOn: \"5xx, 429\", backoff: 10ms }\n    route: [ { destination: { host: payment } } ]\n")).HttpRoutes[0].Forward.Retry;
        Assert.Equal((3u, 250_000_000, 100_000_000), (retry.Attempts, retry.PerTryTimeout.Nanos, retry.BackoffMax.Nanos));
        Assert.Equal(["5xx", "retriable-status-codes"], retry.RetryOn);
        Assert.Equal([429u], retry.RetriableStatusCodes);
    }

    [Fact]
    public void HttpRoutes_OfSeveralDocuments_AreOrderedByPrecedence()
    {
        var port = Port(
            Gateway("  - matches: [ { path: { value: / } } ]\n    backendRefs: [ { name: payment, port: 80 } ]\n  - matches: [ { path: { type: RegularExpression, value: /zzzzzzzzzzz.* } }, { path: { value: /long/prefix/ } } ]\n    backendRefs: [ { name: payment, port: 80 } ]\n"),
            Gateway("  - matches: [ { path: { value: /long }, method: GET }, { path: { type: Exact, value: /x } }, { path: { value: /long } } ]\n    backendRefs: [ { name: payment, port: 80 } ]\n", "s"));
        Assert.Equal(["=/x", "/long/prefix", "GET /long", "/long", "", "~/zzzzzzzzzzz.*"], port.HttpRoutes.Select(r => r.Matches.Count == 0 ? "" :
            (r.Matches[0].Method is { } m ? m.Exact + " " : "") + (r.Matches[0].Path is { } p ? p.HasExact ? "=" + p.Exact : "~" + p.Regex : r.Matches[0].PathSeparatedPrefix)));
    }

    [Fact]
    public void HttpRoute_MissingBackend_TakesItsShareWithA500()
    {
        var (port, problems, _) = Configuration(Gateway("  - backendRefs: [ { name: payment, port: 80, weight: 3 }, { name: ghost, port: 80 }, { name: payment, port: 81 } ]\n"));
        Assert.Equal([(3u, false), (1u, true), (1u, true)], port.HttpRoutes[0].Forward.Clusters.Select(c => (c.Weight, c.InvalidBackend)));
        Assert.Equal(2, problems.Count(p => p.Document == "HTTPRoute default/r"));
    }

    [Theory]
    [InlineData("timeouts: { request: 3s }", 3, 0)]
    [InlineData("timeouts: { request: 3s, backendRequest: 1s }", 1, 0)]
    [InlineData("timeouts: { request: 3s, backendRequest: 1s }, retry: { codes: [500], attempts: 1 }", 3, 1)]
    [InlineData("timeouts: { request: 0s }", 0, 0)]
    public void HttpRoute_Timeouts_FollowIstio(string written, int timeout, int perTry)
    {
        var forward = Port(Gateway($"  - {{ {written}, backendRefs: [ {{ name: payment, port: 80 }} ] }}\n")).HttpRoutes[0].Forward;
        Assert.Equal(timeout, forward.Timeout?.Seconds ?? 0);
        Assert.Equal(perTry, forward.Retry.PerTryTimeout?.Seconds ?? 0);
    }

    [Fact]
    public void TrafficPolicy_PortAndSubset_OverrideBlockByBlock()
    {
        var (_, _, mesh) = Configuration(
            """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: { name: d }
            spec:
              host: payment
              trafficPolicy:
                loadBalancer: { simple: ROUND_ROBIN }
                connectionPool: { tcp: { maxConnections: 10, connectTimeout: 1s } }
              subsets:
              - name: own
                labels: { app: payment }
                trafficPolicy: { connectionPool: { http: { http2MaxRequests: 5 } } }
              - name: port
                trafficPolicy: { portLevelSettings: [ { port: { number: 80 }, loadBalancer: { consistentHash: { httpHeaderName: x } } } ] }
            """,
            Virtual("  - route: [ { destination: { host: payment, subset: own }, weight: 1 }, { destination: { host: payment, subset: port }, weight: 1 } ]\n"));
        var clusters = mesh.Waypoints["default/payment-waypoint"].Clusters;
        var own = (Cluster)clusters[$"{Payment}|80|own"];
        Assert.Equal((LoadBalancer.Types.Policy.RoundRobin, null, 5u, 10L), (own.LoadBalancer.Policy, own.ConnectionPool.MaxConnections, own.ConnectionPool.MaxRequests, own.ConnectionPool.ConnectTimeout.Seconds));
        var port = (Cluster)clusters[$"{Payment}|80|port"];
        Assert.Equal((LoadBalancer.Types.Policy.ConsistentHash, "x", null), (port.LoadBalancer.Policy, port.LoadBalancer.ConsistentHash.Header, port.ConnectionPool.MaxConnections));
    }

    [Fact]
    public void Policies_WithTargets_ReachWhatTheyName()
    {
        var mesh = Documents.Translate(Documents.PaymentService, Documents.PaymentWaypoint, _pod,
            "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: gw }\nspec: { targetRefs: [ { group: gateway.networking.k8s.io, kind: Gateway, name: payment-waypoint } ], action: DENY, rules: [ { from: [ { source: { serviceAccounts: [ bad ] } } ] } ] }",
            "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: svc }\nspec: { targetRefs: [ { kind: Service, group: '', name: payment } ], rules: [ { to: [ { operation: { methods: [ GET ] } } ] } ] }",
            "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: { name: jwt }\nspec: { targetRefs: [ { kind: Service, group: '', name: payment } ], jwtRules: [ { issuer: me, jwksUri: 'https://x/' } ] }");
        var configuration = mesh.Waypoints["default/payment-waypoint"];
        Assert.Equal(["AuthorizationPolicy/default/gw", "AuthorizationPolicy/default/svc", "RequestAuthentication/default/jwt"], ((Service)configuration.Services[Payment]).Policies);
        Assert.Equal(["AuthorizationPolicy/default/gw"], ((Service)configuration.Services["Kubernetes//Pod/default/p1"]).Policies);
        Assert.Equal("default/bad", Assert.Single(((RequestPolicy)configuration.Policies["AuthorizationPolicy/default/gw"]).Authorization.Rules[0].From[0].ServiceAccounts));
        Assert.Empty(mesh.Authorizations);
    }
}
