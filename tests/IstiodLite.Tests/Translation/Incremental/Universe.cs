using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Tests.Translation.Incremental;

/// <summary>A small mesh in which everything can depend on everything: each object in several versions, made once.</summary>
internal static class Universe
{
    /// <summary>Every version of every object.</summary>
    public static IReadOnlyList<Resource> Versions { get; } = Documents.Parse(string.Join("\n---\n", Texts())).Documents.Select(d => d.Readable!).ToList();

    public static IReadOnlyList<ResourceKey> Keys { get; } = [.. Versions.Select(v => v.Key).Distinct()];

    public static Resource AnyVersion(ResourceKey key, Random random)
    {
        var versions = _byKey[key].ToList();
        return versions[random.Next(versions.Count)];
    }

    private static readonly ILookup<ResourceKey, Resource> _byKey = Versions.ToLookup(v => v.Key);

    private static IEnumerable<string> Texts() =>
    [
        .. Pods(), .. Services(), .. Entries(), .. Slices(), .. Places(), .. Gateways(), .. Policies(), .. Routes(), .. Rules(),
    ];

    private static IEnumerable<string> Pods()
    {
        string[] labels = ["app: x", "app: y", "app: x, version: v1", "gateway.networking.k8s.io/gateway-name: wp", "app: x, istio.io/use-waypoint: wp"];
        foreach (var ns in (string[])["a", "b"])
        {
            for (var i = 0; i < 3; i++)
            {
                for (var v = 0; v < labels.Length; v++)
                {
                    var account = (i + v) % 2 == 0 ? "one" : "two";
                    var ready = (v + i) % 3 != 0;
                    yield return $$"""
                        apiVersion: v1
                        kind: Pod
                        metadata: { name: p{{i}}, namespace: {{ns}}, uid: u{{i}}, labels: { {{labels[v]}} }, annotations: { ambient.istio.io/redirection: enabled } }
                        spec: { nodeName: n{{v % 2}}, serviceAccountName: {{account}}, containers: [ { name: c, ports: [ { name: web, containerPort: {{8080 + v}} } ] } ] }
                        status: { phase: {{(v == 1 && i == 2 ? "Succeeded" : "Running")}}, podIP: 10.{{(ns == "a" ? 1 : 2)}}.{{v}}.{{i}}, conditions: [ { type: Ready, status: "{{ready}}" } ] }
                        """;
                }
            }
        }
    }

    private static IEnumerable<string> Services()
    {
        string[] specs =
        [
            "clusterIP: 10.96.0.1, selector: { app: x }, ports: [ { name: http, port: 80, targetPort: web } ]",
            "selector: { app: y }, ports: [ { name: http, port: 80, targetPort: 8080 }, { name: tcp-db, port: 5432 } ]",
            "clusterIP: 10.96.0.3, ports: [ { name: http, port: 80 } ]",
            "clusterIP: None, selector: { app: x, version: v1 }, publishNotReadyAddresses: true, ports: [ { name: grpc, port: 90 } ]",
        ];
        string[] labels = ["", "istio.io/use-waypoint: wp", "istio.io/use-waypoint: none", "istio.io/use-waypoint: wp, istio.io/use-waypoint-namespace: b"];
        foreach (var ns in (string[])["a", "b"])
        {
            for (var i = 0; i < 3; i++)
            {
                for (var v = 0; v < specs.Length; v++)
                    yield return $"apiVersion: v1\nkind: Service\nmetadata: {{ name: s{i}, namespace: {ns}, labels: {{ {labels[(v + i) % labels.Length]} }} }}\nspec: {{ {specs[v]} }}";
            }
        }
        // In the place of the one that is made for a Gateway.
        yield return "apiVersion: v1\nkind: Service\nmetadata: { name: wp, namespace: a }\nspec: { clusterIP: 10.96.1.1, selector: { gateway.networking.k8s.io/gateway-name: wp }, ports: [ { name: mesh, port: 15008 } ] }";
    }

    private static IEnumerable<string> Entries()
    {
        string[] specs =
        [
            "hosts: [s0.a.svc.cluster.local, ext.example], resolution: STATIC, ports: [ { number: 80, name: http, protocol: HTTP } ], endpoints: [ { address: 192.0.2.1, labels: { app: x } }, { address: 192.0.2.1, ports: { http: 8080 } } ]",
            "hosts: [ext.example], resolution: DNS, ports: [ { number: 443, name: tls, protocol: TLS } ]",
            "hosts: [ext.example, other.example], resolution: STATIC, ports: [ { number: 80, name: http, protocol: HTTP } ], workloadSelector: { labels: { app: y } }",
            "hosts: ['*.wild.example'], resolution: DYNAMIC_DNS, ports: [ { number: 80, name: http, protocol: HTTP } ]",
        ];
        foreach (var ns in (string[])["a", "b"])
        {
            for (var v = 0; v < specs.Length; v++)
            {
                yield return $"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{ name: e{v % 2}, namespace: {ns}, creationTimestamp: '2026-01-0{1 + ((v * 3 + ns.Length) % 5)}T00:00:00Z', labels: {{ {(v == 2 ? "istio.io/use-waypoint: wp" : "app: x")} }} }}\nspec: {{ {specs[v]} }}";
                yield return $"apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {{ name: w{v % 2}, namespace: {ns}, labels: {{ {(v == 3 ? "istio.io/use-waypoint: wp" : "version: v1")} }} }}\nspec: {{ address: 192.0.2.{10 + v}, labels: {{ app: {(v % 2 == 0 ? "x" : "y")} }}, serviceAccount: {(v < 2 ? "one" : "two")}, network: '{(v == 1 ? "far" : "")}', weight: {v} }}";
            }
        }
    }

    private static IEnumerable<string> Slices()
    {
        string[] endpoints = ["{ addresses: [ 192.0.2.50 ] }, { addresses: [ 10.1.0.0 ], targetRef: { kind: Pod, name: p0, namespace: a } }", "{ addresses: [ 192.0.2.51 ], conditions: { ready: false } }", "{ addresses: [ 10.1.0.1 ], targetRef: { kind: Pod, name: p1, uid: u1 } }"];
        for (var v = 0; v < endpoints.Length; v++)
        {
            for (var i = 0; i < 2; i++)
                yield return $"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{ name: l{i}, namespace: a, labels: {{ kubernetes.io/service-name: s{(v + i) % 3} }} }}\naddressType: IPv4\nports: [ {{ name: http, port: {8000 + v} }} ]\nendpoints: [ {endpoints[v]} ]";
        }
    }

    private static IEnumerable<string> Places()
    {
        for (var i = 0; i < 2; i++)
        {
            yield return $"apiVersion: v1\nkind: Node\nmetadata: {{ name: n{i} }}";
            yield return $"apiVersion: v1\nkind: Node\nmetadata: {{ name: n{i}, labels: {{ topology.kubernetes.io/region: r, topology.kubernetes.io/zone: z{i} }} }}";
        }
        foreach (var ns in (string[])["a", "b"])
        {
            yield return $"apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {ns} }}";
            yield return $"apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {ns}, labels: {{ istio.io/use-waypoint: wp }}, annotations: {{ networking.istio.io/traffic-distribution: PreferClose }} }}";
        }
        yield return "apiVersion: v1\nkind: Namespace\nmetadata: { name: istio-system, labels: { topology.istio.io/network: near } }";
        yield return "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio, namespace: istio-system }\ndata: { mesh: 'rootNamespace: b' }";
        yield return "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ca, namespace: a }\ndata: { ca.crt: one }";
        yield return "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ca, namespace: a }\ndata: { ca.crt: two }";
        yield return "apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: t, namespace: a }\nspec: { targetRefs: [ { group: '', kind: Service, name: s0 } ], validation: { hostname: s0, caCertificateRefs: [ { group: '', kind: ConfigMap, name: ca } ] } }";
        yield return "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio, namespace: istio-system }\ndata: { mesh: 'trustDomain: other.example' }";
    }

    private static IEnumerable<string> Gateways()
    {
        string[] metas =
        [
            "labels: { istio.io/waypoint-for: all }", "labels: { istio.io/waypoint-for: workload }", "annotations: { istio.io/for-service-account: one }",
            "labels: { topology.istio.io/network: far }",
        ];
        foreach (var ns in (string[])["a", "b"])
        {
            for (var v = 0; v < metas.Length; v++)
            {
                yield return $$"""
                    apiVersion: gateway.networking.k8s.io/v1
                    kind: Gateway
                    metadata: { name: wp, namespace: {{ns}}, {{metas[v]}} }
                    spec: { gatewayClassName: {{(v == 3 ? "istio-remote" : "istio-waypoint")}}, listeners: [ { name: mesh, port: 15008, protocol: HBONE, allowedRoutes: { namespaces: { from: {{(v == 0 ? "All" : "Same")}} } } } ] }
                    status: { addresses: [ { type: IPAddress, value: 10.96.7.{{v}} } ] }
                    """;
            }
        }
        yield return "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: { name: istio-waypoint, labels: { istio.io/waypoint-for: all } }\nspec: { controllerName: istio.io/mesh-controller }";
    }

    private static IEnumerable<string> Policies()
    {
        string[] authorizations =
        [
            "selector: { matchLabels: { app: x } }, rules: [ { from: [ { source: { namespaces: [ a ] } } ] } ]",
            "action: DENY, rules: [ { to: [ { operation: { methods: [ GET ] } } ] } ]",
            "targetRefs: [ { kind: Service, group: '', name: s0 } ], rules: [ {} ]",
            "targetRefs: [ { kind: Gateway, group: gateway.networking.k8s.io, name: wp } ], rules: [ {} ]",
        ];
        string[] peers = ["mtls: { mode: STRICT }", "selector: { matchLabels: { app: x } }, mtls: { mode: STRICT }, portLevelMtls: { 8080: { mode: PERMISSIVE } }", "selector: { matchLabels: { app: y } }, mtls: { mode: UNSET }, portLevelMtls: { 8080: { mode: DISABLE } }"];
        foreach (var ns in (string[])["a", "b", "istio-system"])
        {
            for (var v = 0; v < authorizations.Length; v++)
                yield return $"apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{ name: ap{v % 2}, namespace: {ns} }}\nspec: {{ {authorizations[v]} }}";
            for (var v = 0; v < peers.Length; v++)
                yield return $"apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {{ name: pa{v % 2}, namespace: {ns} }}\nspec: {{ {peers[v]} }}";
            yield return $"apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {{ name: ra, namespace: {ns} }}\nspec: {{ targetRefs: [ {{ kind: Service, group: '', name: s1 }} ], jwtRules: [ {{ issuer: i, jwksUri: 'https://i.example/' }} ] }}";
        }
    }

    private static IEnumerable<string> Routes()
    {
        string[] virtuals =
        [
            "hosts: [s0], http: [ { route: [ { destination: { host: s1, subset: v1 } } ] } ]",
            "hosts: [s0, s1], http: [ { match: [ { port: 80 } ], route: [ { destination: { host: s2 }, weight: 1 }, { destination: { host: ext.example, port: { number: 443 } }, weight: 1 } ] } ]",
            "hosts: ['*.a.svc.cluster.local'], http: [ { fault: { abort: { httpStatus: 500, percentage: { value: 1 } } }, route: [ { destination: { host: s0.b.svc.cluster.local, port: { number: 80 } } } ] } ]",
            "hosts: [s1], tcp: [ { route: [ { destination: { host: s0, port: { number: 5432 } } } ] } ]",
        ];
        foreach (var ns in (string[])["a", "b"])
        {
            for (var v = 0; v < virtuals.Length; v++)
                yield return $"apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{ name: v{v % 2}, namespace: {ns} }}\nspec: {{ {virtuals[v]} }}";
            for (var v = 0; v < 2; v++)
            {
                yield return $$"""
                    apiVersion: gateway.networking.k8s.io/v1
                    kind: HTTPRoute
                    metadata: { name: h, namespace: {{ns}} }
                    spec: { parentRefs: [ { kind: Service, group: '', name: s{{v}} } ], rules: [ { backendRefs: [ { name: s2, port: 80 }, { kind: Service, name: s{{v}}, namespace: b, port: {{(v == 0 ? 80 : 90)}} } ] } ] }
                    """;
            }
        }
    }

    private static IEnumerable<string> Rules()
    {
        string[] specs =
        [
            "host: s1, subsets: [ { name: v1, labels: { version: v1 } } ]",
            "host: '*.a.svc.cluster.local', trafficPolicy: { outlierDetection: { consecutive5xxErrors: 3 }, loadBalancer: { simple: RANDOM } }",
            "host: s0.a.svc.cluster.local, exportTo: ['.'], trafficPolicy: { connectionPool: { tcp: { maxConnections: 3 } } }",
        ];
        foreach (var ns in (string[])["a", "b", "istio-system"])
        {
            for (var v = 0; v < specs.Length; v++)
                yield return $"apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{ name: d{v % 2}, namespace: {ns} }}\nspec: {{ {specs[v]} }}";
        }
    }
}
