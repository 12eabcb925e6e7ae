using System.Text.Json.Nodes;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Leadership;

/// <summary>The container of a waypoint's pod and the volumes that it reads (reference: istiod 5.5).</summary>
internal static class WaypointContainer
{
    private const string Tokens = "/var/run/secrets/tokens";
    private const string Roots = "/var/run/secrets/istio";
    private const int TokenSeconds = 43200;
    // The user that the image runs as; Istio's.
    private const int User = 1337;

    public static JsonObject Of(Gateway gateway, string account, MeshSettings mesh, WaypointSettings settings, string network, ProxyRun run) => new()
    {
        // Istio's name: overlays that people have written for its waypoints find the container.
        ["name"] = "istio-proxy",
        ["image"] = settings.Image,
        ["ports"] = new JsonArray(Port("hbone", 15008), Port("metrics", 15020), Port("status-port", 15021)),
        ["env"] = new JsonArray([
            Field("POD_NAME", "metadata.name"),
            Field("POD_NAMESPACE", "metadata.namespace"),
            Field("INSTANCE_IP", "status.podIP"),
            Value("SERVICE_ACCOUNT", account),
            Value("GATEWAY_NAME", gateway.Name),
            Value("TRUST_DOMAIN", mesh.TrustDomain),
            Value("CLUSTER_ID", mesh.ClusterId),
            Value("NETWORK", network),
            Value("XDS_ADDRESS", $"https://{settings.DiscoveryAddress}"),
            Value("XDS_ROOT_CA", $"{Roots}/{RootDistribution.Key}"),
            Value("AUTH_TOKEN", $"{Tokens}/istio-token"),
            .. ProxyConfigs.Variables(run).Select(v => Value(v.Key, v.Value)),
        ]),
        ["startupProbe"] = Probe(delay: 1, period: 1, failures: 30),
        ["readinessProbe"] = Probe(delay: 0, period: 15, failures: 4),
        ["resources"] = new JsonObject
        {
            ["requests"] = new JsonObject { ["cpu"] = "100m", ["memory"] = "128Mi" },
            ["limits"] = new JsonObject { ["cpu"] = "2", ["memory"] = "1Gi" },
        },
        ["securityContext"] = new JsonObject
        {
            ["runAsUser"] = User,
            ["runAsGroup"] = User,
            ["runAsNonRoot"] = true,
            ["readOnlyRootFilesystem"] = true,
            ["allowPrivilegeEscalation"] = false,
            ["privileged"] = false,
            // Beyond Istio's template: namespaces with the restricted pod security standard take no pod without it.
            ["seccompProfile"] = new JsonObject { ["type"] = "RuntimeDefault" },
            ["capabilities"] = new JsonObject { ["drop"] = new JsonArray("ALL") },
        },
        ["volumeMounts"] = new JsonArray(Mount("istio-token", Tokens), Mount("istiod-ca-cert", Roots), Mount("tmp", "/tmp")),
    };

    public static JsonArray Volumes() => new(
        new JsonObject
        {
            ["name"] = "istio-token",
            ["projected"] = new JsonObject
            {
                ["sources"] = new JsonArray(new JsonObject
                {
                    ["serviceAccountToken"] = new JsonObject { ["audience"] = "istio-ca", ["expirationSeconds"] = TokenSeconds, ["path"] = "istio-token" },
                }),
            },
        },
        new JsonObject { ["name"] = "istiod-ca-cert", ["configMap"] = new JsonObject { ["name"] = RootDistribution.ConfigMapName } },
        // The runtime unpacks itself there; everything else is read-only.
        new JsonObject { ["name"] = "tmp", ["emptyDir"] = new JsonObject() });

    private static JsonObject Port(string name, int number) => new() { ["name"] = name, ["containerPort"] = number, ["protocol"] = "TCP" };

    private static JsonObject Value(string name, string value) => new() { ["name"] = name, ["value"] = value };

    private static JsonObject Field(string name, string path) => new() { ["name"] = name, ["valueFrom"] = new JsonObject { ["fieldRef"] = new JsonObject { ["fieldPath"] = path } } };

    private static JsonObject Mount(string name, string path) => new() { ["name"] = name, ["mountPath"] = path };

    private static JsonObject Probe(int delay, int period, int failures) => new()
    {
        ["httpGet"] = new JsonObject { ["path"] = "/healthz/ready", ["port"] = 15021 },
        ["initialDelaySeconds"] = delay,
        ["periodSeconds"] = period,
        ["failureThreshold"] = failures,
        ["successThreshold"] = 1,
        ["timeoutSeconds"] = 1,
    };
}
