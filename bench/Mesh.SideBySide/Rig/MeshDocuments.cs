using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Mesh.SideBySide.Rig;

/// <summary>The mesh of the rig as YAML: two workloads, a waypoint, a bare service and one with many rules.</summary>
internal static class MeshDocuments
{
    public const int RouteCount = 1000;
    private const string Issuer = "https://issuer.bench";

    private static readonly RSA s_key = RSA.Create(2048);

    public static string Base { get; } = string.Join("---\n",
    [
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: default\n  labels:\n    istio.io/dataplane-mode: ambient\n",
        Pod("client", Network.ClientAddress, captured: true, "app: client"),
        Pod("server", Network.ServerAddress, captured: true, "app: server"),
        Pod("near-client", "198.18.7.11", captured: true, "app: near", node: "node-near"),
        Pod("near-server", Network.NearAddress, captured: true, "app: near", node: "node-near"),
        Pod("waypoint", Network.MiddleAddress, captured: false, "gateway.networking.k8s.io/gateway-name: waypoint\n    istio.io/dataplane-mode: none\n    gateway.istio.io/managed: istio.io-mesh-controller"),
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata:
          name: waypoint
          namespace: default
        spec:
          gatewayClassName: istio-waypoint
          listeners:
            - name: mesh
              port: 15008
              protocol: HBONE

        """,
        Service("web", "198.18.8.1"),
        Service("rules", "198.18.8.2"),
        Rules(),
    ]);

    /// <summary>A token that the rules accept, for a day.</summary>
    public static string Token()
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var signed = Encode("""{"alg":"RS256","typ":"JWT","kid":"bench"}"""u8) + "." +
            Encode(Encoding.UTF8.GetBytes($$"""{"iss":"{{Issuer}}","sub":"load","iat":{{now}},"exp":{{now + 86400}}}"""));
        return signed + "." + Encode(s_key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
    }

    /// <summary>More pods on other nodes, each with an address of its own in 198.19.0.0/16.</summary>
    public static string Pods(int count) => string.Join("---\n", Enumerable.Range(1, count).Select(i => Pod($"other-{i}", Far(i), captured: true, "app: other")));

    public static string Services(int count) => string.Join("---\n", Enumerable.Range(1, count).Select(i => Service($"other-{i}", Far(i), "server", waypoint: false)));

    /// <summary>Policies of the server, of which the last one allows the client.</summary>
    public static string Policies(int count) => string.Join("---\n", Enumerable.Range(1, count).Select(i => $"""
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata:
          name: growth-{i}
          namespace: default
        spec:
          selector:
            matchLabels:
              app: server
          action: ALLOW
          rules:
            - from:
                - source:
                    principals: ["cluster.local/ns/default/sa/{(i == count ? "client" : $"nobody-{i}")}"]

        """));

    public static string Routes(int count)
    {
        var yaml = new StringBuilder("""
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata:
              name: rules
              namespace: default
            spec:
              hosts: [rules]
              http:

            """);
        for (var i = 1; i < count; i++)
            yaml.Append(CultureInfo.InvariantCulture, $"    - match:\n        - uri:\n            prefix: /part-{i}/\n      route:\n        - destination:\n            host: rules\n");
        return yaml.Append("    - route:\n        - destination:\n            host: rules\n").ToString();
    }

    private static string Far(int number) => string.Create(CultureInfo.InvariantCulture, $"198.19.{number / 250}.{(number % 250) + 1}");

    private static string Pod(string name, string address, bool captured, string labels, string? node = null) => $"""
        apiVersion: v1
        kind: Pod
        metadata:
          name: {name}
          namespace: default
          uid: uid-{name}
          labels:
            {labels}
        {(captured ? "  annotations:\n    ambient.istio.io/redirection: enabled" : "  annotations: {}")}
        spec:
          nodeName: {node ?? $"node-{name}"}
          serviceAccountName: {(name.StartsWith("other", StringComparison.Ordinal) ? "other" : name)}
          containers: []
        status:
          phase: Running
          hostIP: {address}
          podIP: {address}
          podIPs:
            - ip: {address}
          conditions:
            - type: Ready
              status: "True"

        """;

    private static string Service(string name, string address, string app = "server", bool waypoint = true) => $"""
        apiVersion: v1
        kind: Service
        metadata:
          name: {name}
          namespace: default
          labels:
            {(waypoint ? "istio.io/use-waypoint: waypoint" : "app: other")}
        spec:
          clusterIP: {address}
          clusterIPs: [{address}]
          selector:
            app: {app}
          ports:
            - name: http
              port: 80
              targetPort: {Applications.Port}

        """;

    private static string Rules()
    {
        var key = s_key.ExportParameters(false);
        var keys = $$"""{"keys":[{"kty":"RSA","kid":"bench","alg":"RS256","use":"sig","n":"{{Encode(key.Modulus)}}","e":"{{Encode(key.Exponent)}}"}]}""";
        return $"""
            apiVersion: security.istio.io/v1
            kind: RequestAuthentication
            metadata:
              name: rules
              namespace: default
            spec:
              targetRefs:
                - group: ""
                  kind: Service
                  name: rules
              jwtRules:
                - issuer: {Issuer}
                  jwks: '{keys}'
            ---
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata:
              name: rules
              namespace: default
            spec:
              targetRefs:
                - group: ""
                  kind: Service
                  name: rules
              action: ALLOW
              rules:
                - from:
                    - source:
                        requestPrincipals: ["{Issuer}/load"]
                  to:
                    - operation:
                        methods: [GET]

            """;
    }

    private static string Encode(ReadOnlySpan<byte> data) => System.Buffers.Text.Base64Url.EncodeToString(data);
}
