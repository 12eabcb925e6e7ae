using Mesh.IstiodLite.Translation;
using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Tests.Waypoints;

/// <summary>MeshConfig.extensionProviders on their way to a waypoint.</summary>
public sealed class ProviderTests
{
    private const string Policy = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: ask }\nspec: { targetRefs: [ { kind: Service, name: payment } ], action: CUSTOM, provider: { name: guard }, rules: [ {} ] }\n";

    private const string Guard = "apiVersion: v1\nkind: Service\nmetadata: { name: guard, namespace: infra }\nspec: { selector: { app: guard }, ports: [ { name: grpc, port: 9000, targetPort: 9001 } ] }\n";

    private static string Mesh(string providers) =>
        $"apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: istio, namespace: istio-system }}\ndata:\n  mesh: |\n    extensionProviders:\n{string.Concat(providers.Split('\n').Select(l => $"    {l}\n"))}";

    private static Translated Translate(params string[] more) =>
        Documents.Translate([Documents.PaymentService, Documents.PaymentWaypoint, Documents.Pod("p1", "payment", "198.18.2.2"), Policy, .. more]);

    private static ExternalAuthorizer? Authorizer(Translated mesh) =>
        ((RequestPolicy)mesh.Waypoints["default/payment-waypoint"].Policies["AuthorizationPolicy/default/ask"]).Authorization.Authorizer;

    [Fact]
    public void Http_AllOptions_ArriveResolved()
    {
        var mesh = Translate(Guard, Documents.Pod("g1", "guard", "198.18.2.9", "app: guard", ns: "infra"), Mesh("""
            - name: tracing
              zipkin: { service: z, port: 9411 }
            - name: guard
              envoyExtAuthzHttp:
                service: infra/guard.infra.svc.cluster.local
                port: 9000
                timeout: 2s
                pathPrefix: /check
                failOpen: true
                clearRouteCache: true
                statusOnError: "503"
                includeRequestHeadersInCheck: [cookie, "x-user-*"]
                includeAdditionalHeadersInCheck: { x-from: mesh }
                includeRequestBodyInCheck: { maxRequestBytes: 100, allowPartialMessage: true }
                headersToUpstreamOnAllow: [authorization]
                headersToDownstreamOnDeny: [content-type]
                headersToDownstreamOnAllow: [set-cookie]
            """));
        var authorizer = Authorizer(mesh)!;
        Assert.Equal(("infra/guard.infra.svc.cluster.local|9000|", "guard.infra.svc.cluster.local:9000", 2L), (authorizer.Cluster, authorizer.Authority, authorizer.Timeout.Seconds));
        Assert.Equal((true, true, 503u, 100u, true, false), (authorizer.FailOpen, authorizer.ClearRouteCache, authorizer.StatusOnError, authorizer.Body.MaxBytes, authorizer.Body.AllowPartial, authorizer.Body.AsBytes));
        Assert.Equal(("/check", "mesh"), (authorizer.Http.PathPrefix, authorizer.Http.AdditionalHeaders["x-from"]));
        Assert.Equal(["cookie", "x-user-*"], authorizer.Http.RequestHeaders);
        Assert.Equal(["authorization", "content-type", "set-cookie"], authorizer.Http.UpstreamHeadersOnAllow.Concat(authorizer.Http.DownstreamHeadersOnDeny).Concat(authorizer.Http.DownstreamHeadersOnAllow));
        var cluster = (Cluster)mesh.Waypoints["default/payment-waypoint"].Clusters[authorizer.Cluster];
        Assert.Equal((9001u, true), (Assert.Single(cluster.Endpoints).Port, cluster.Endpoints[0].Hbone));
        Assert.Empty(mesh.Problems);
    }

    [Fact]
    public void Grpc_WithoutOptions_HasIstiosDefaults()
    {
        var authorizer = Authorizer(Translate(Guard, Mesh("- name: guard\n  envoyExtAuthzGrpc: { service: guard.infra.svc.cluster.local, port: 9000 }")))!;
        Assert.Equal((ExternalAuthorizer.ProtocolOneofCase.Grpc, 600L, false, 403u), (authorizer.ProtocolCase, authorizer.Timeout.Seconds, authorizer.FailOpen, authorizer.StatusOnError));
        Assert.Null(authorizer.Body);
    }

    [Theory]
    [InlineData("- name: other\n  envoyExtAuthzGrpc: { service: guard.infra.svc.cluster.local, port: 9000 }", "its provider \"guard\" is not an authorizer of MeshConfig (known: other)")]
    [InlineData("- name: guard\n  envoyExtAuthzGrpc: { service: ghost.infra.svc.cluster.local, port: 9000 }", "provider guard is the service ghost.infra.svc.cluster.local, which no Service")]
    [InlineData("- name: guard\n  envoyExtAuthzGrpc: { service: guard.infra.svc.cluster.local, port: 1 }", "provider guard is port 1 of guard.infra.svc.cluster.local, which has no such port (it has 9000)")]
    public void Provider_ThatCannotBeAsked_IsNamedAndMissing(string providers, string reason)
    {
        var mesh = Translate(Guard, Mesh(providers));
        Assert.Null(Authorizer(mesh));
        Assert.Contains(mesh.Problems, p => p.Document == "AuthorizationPolicy default/ask" && p.Reason.StartsWith(reason, StringComparison.Ordinal));
    }
}
