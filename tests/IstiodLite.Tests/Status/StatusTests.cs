using System.Text.Json.Nodes;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Status;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Tests.Status;

/// <summary>What a cluster's objects are answered with, beyond what was recorded.</summary>
public sealed class StatusTests
{
    private const string Class = "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: { name: CLASS }\nspec: { controllerName: CONTROLLER }\n---\n";

    private const string Waypoint = """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: { name: wp, namespace: default }
        spec: { gatewayClassName: istio-waypoint, listeners: [ { name: mesh, port: 15008, protocol: HBONE } ] }
        status: { addresses: [ { type: Hostname, value: wp.default.svc.cluster.local } ] }
        ---
        apiVersion: v1
        kind: Service
        metadata: { name: wp, namespace: default }
        spec: { clusterIP: 10.96.0.9, ports: [ { name: mesh, port: 15008 } ] }
        ---

        """;

    private static readonly string Instance = Documents.Pod("wp-1", "wp", "10.1.0.9", "gateway.networking.k8s.io/gateway-name: wp");

    [Fact]
    public void Waypoint_IsProgrammedWhenAnInstanceIsReady()
    {
        var without = Of(Translate(WaypointClass, Waypoint), "Gateway");
        Assert.Equal(("False", "AddressNotUsable"), Condition(without, "Programmed"));
        Assert.Contains("no instances found", without.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal("10.96.0.9", (string?)without["addresses"]![0]!["value"]);
        Assert.Equal(("True", "Programmed"), Condition(Of(Translate(WaypointClass, Waypoint, Instance), "Gateway"), "Programmed"));
        Assert.Equal("False", Condition(Of(Translate(WaypointClass, Waypoint, Instance.Replace("status: \"True\"", "status: \"False\"", StringComparison.Ordinal)), "Gateway"), "Programmed").Status);
    }

    [Theory]
    [InlineData("{ name: mesh, port: 15008, protocol: HBONE }", "True Accepted", "True Accepted")]
    [InlineData("{ name: web, port: 80, protocol: HTTP }", "False ListenersNotValid", "False UnsupportedProtocol")]
    [InlineData("{ name: mesh, port: 15009, protocol: HBONE }", "False ListenersNotValid", "False UnsupportedProtocol")]
    [InlineData("{ name: mesh, port: 15008, protocol: HBONE }, { name: web, port: 80, protocol: HTTP }", "True ListenersNotValid", "True Accepted", "False UnsupportedProtocol")]
    public void ListenersOfAWaypoint_OtherThanTheOneThatItHas_AreRefused(string listeners, string gateway, params string[] each)
    {
        var status = Of(Translate(WaypointClass, Waypoint.Replace("{ name: mesh, port: 15008, protocol: HBONE }", listeners, StringComparison.Ordinal)), "Gateway");
        Assert.Equal(gateway, Text(Condition(status, "Accepted")));
        Assert.Equal(each, status["listeners"]!.AsArray().Select(l => Text(Condition(l!, "Accepted"))));
    }

    /// <summary>By parent, section, protocol and namespace; routes of Services do not count.</summary>
    [Fact]
    public void AttachedRoutes_AreCountedForEachListener()
    {
        const string gateway = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: { name: edge, namespace: default }
            spec:
              gatewayClassName: istio
              listeners:
              - { name: web, port: 80, protocol: HTTP }
              - { name: all, port: 81, protocol: HTTP, allowedRoutes: { namespaces: { from: All } } }
              - { name: raw, port: 82, protocol: TCP }
            ---

            """;
        string Route(string name, string ns, string parent) => $"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{ name: {name}, namespace: {ns} }}\nspec: {{ parentRefs: [ {parent} ], rules: [] }}\n---\n";
        var status = Of(Translate(Class.Replace("CLASS", "istio", StringComparison.Ordinal).Replace("CONTROLLER", "istio.io/gateway-controller", StringComparison.Ordinal), gateway,
            Route("both", "default", "{ name: edge }"), Route("one", "default", "{ name: edge, sectionName: web }"), Route("far", "other", "{ name: edge, namespace: default }"),
            Route("mesh", "default", "{ group: '', kind: Service, name: edge }")), "Gateway");
        Assert.Equal([("web", 2), ("all", 2), ("raw", 0)], status["listeners"]!.AsArray().Select(l => ((string)l!["name"]!, (int)l["attachedRoutes"]!)));
    }

    [Theory]
    [InlineData("wp", "True", "Accepted")]
    [InlineData("ghost", "False", "TargetNotFound")]
    public void RateLimitPolicy_SaysWhetherItsTargetHonoursIt(string target, string status, string reason)
    {
        var policy = $"apiVersion: policy.mesh/v1alpha1\nkind: RateLimitPolicy\nmetadata: {{ name: p, namespace: default }}\nspec: {{ targetRefs: [ {{ group: gateway.networking.k8s.io, kind: Gateway, name: {target} }} ], rules: [ {{ name: r, local: {{ requests: 1 }} }} ] }}\n";
        Assert.Equal((status, reason), Condition(Of(Translate(WaypointClass, Waypoint, policy), "RateLimitPolicy"), "WaypointAccepted"));
    }

    [Theory]
    [InlineData(true, "True Accepted", "True ResolvedRefs")]
    [InlineData(false, "False NoValidCACertificate", "False InvalidCACertificateRef")]
    public void BackendTlsPolicy_NamesTheWaypointsThatFollowIt(bool hasAuthority, string accepted, string resolved)
    {
        var policy = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: BackendTLSPolicy
            metadata: { name: p, namespace: default }
            spec: { targetRefs: [ { group: '', kind: Service, name: payment } ], validation: { hostname: payment.example.com, caCertificateRefs: [ { group: '', kind: ConfigMap, name: ca } ] } }
            ---

            """ + (hasAuthority ? "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ca, namespace: default }\ndata: { ca.crt: pem }\n" : "");
        var service = Documents.PaymentService.Replace("{ name: payment }", "{ name: payment, namespace: default, labels: { istio.io/use-waypoint: wp } }", StringComparison.Ordinal);
        var ancestor = Assert.Single(Of(Translate(WaypointClass, Waypoint, service, policy), "BackendTLSPolicy")["ancestors"]!.AsArray())!;
        Assert.Equal("wp", (string?)ancestor["ancestorRef"]!["name"]);
        Assert.Equal((accepted, resolved), (Text(Condition(ancestor, "Accepted")), Text(Condition(ancestor, "ResolvedRefs"))));
    }

    [Theory]
    [InlineData("istio.io/dataplane-mod: ambient", "the label istio.io/dataplane-mod has no effect", "istio.io/dataplane-mode")]
    [InlineData("istio.io/dataplane-mode: ambiant", "has no effect with the value \"ambiant\"", "ambient, none")]
    [InlineData("ambient.istio.io/use-waypoint: wp", "the label ambient.istio.io/use-waypoint has no effect", "istio.io/use-waypoint")]
    public void Labels_NearlyRight_AreNamedWithTheOneThatIsMeant(string label, string reason, string fix)
    {
        var found = Translate(WaypointClass, $"apiVersion: v1\nkind: Namespace\nmetadata: {{ name: shop, labels: {{ {label}, team: a, istio.io/rev: x, topology.kubernetes.io/zone: b }} }}\n").Problems;
        var problem = Assert.Single(found, p => p.Document == "Namespace shop");
        Assert.Contains(reason, problem.Reason, StringComparison.Ordinal);
        Assert.Contains(fix, problem.Fix, StringComparison.Ordinal);
    }

    private static string WaypointClass => Class.Replace("CLASS", "istio-waypoint", StringComparison.Ordinal).Replace("CONTROLLER", "istio.io/mesh-controller", StringComparison.Ordinal);

    private static Translated Translate(params string[] yaml)
    {
        var files = yaml.Select((text, i) => Documents.Parse(text, $"{i}.yaml")).ToList();
        Assert.Empty(files.SelectMany(f => f.Problems).Where(p => p.Severity is ProblemSeverity.Error).Select(p => p.Reason));
        return MeshTranslator.Translate(new ResourceSet(files.SelectMany(f => f.Resources)), new MeshSettings(), AddressBook.Empty);
    }

    private static JsonObject Of(Translated translated, string kind) => Assert.Single(translated.Statuses, s => s.Kind == kind).Status;

    private static (string Status, string Reason) Condition(JsonNode status, string type)
    {
        var condition = status["conditions"]!.AsArray().Single(c => (string)c!["type"]! == type)!;
        return ((string)condition["status"]!, (string)condition["reason"]!);
    }

    private static string Text((string Status, string Reason) condition) => $"{condition.Status} {condition.Reason}";
}
