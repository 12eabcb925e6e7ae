using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

internal delegate Resource DecodeResource(ObjectMeta meta, DocumentPosition position, FieldReader root);

internal sealed record KnownKind(string Group, string Kind, string[] Versions, bool Namespaced, DecodeResource Decode);

/// <summary>The table of kinds: which groups and versions, and who reads them. All versions of a kind have one schema.</summary>
internal static class KnownKinds
{
    private const string Networking = "networking.istio.io";
    private const string Security = "security.istio.io";
    /// <summary>Kinds of our own, for what neither Istio nor Gateway API has one.</summary>
    private const string MeshPolicy = "policy.mesh";
    private const string GatewayApi = "gateway.networking.k8s.io";
    private static readonly string[] _core = ["v1"];
    private static readonly string[] _networkingVersions = ["v1", "v1beta1", "v1alpha3"];
    private static readonly string[] _securityVersions = ["v1", "v1beta1"];
    private static readonly string[] _gatewayVersions = ["v1", "v1beta1"];

    private static readonly KnownKind[] _all =
    [
        new("", "Pod", _core, true, PodDecoder.Decode),
        new("", "Service", _core, true, ServiceDecoder.Decode),
        new("", "Namespace", _core, false, PlainDecoder.Namespace),
        new("", "Node", _core, false, PlainDecoder.Node),
        new("", "ServiceAccount", _core, true, PlainDecoder.ServiceAccount),
        new("", "ConfigMap", _core, true, PlainDecoder.ConfigMap),
        new("discovery.k8s.io", "EndpointSlice", ["v1", "v1beta1"], true, EndpointSliceDecoder.Decode),
        new(Networking, "WorkloadEntry", _networkingVersions, true, EntryDecoder.WorkloadEntry),
        new(Networking, "WorkloadGroup", _networkingVersions, true, EntryDecoder.WorkloadGroup),
        new(Networking, "ServiceEntry", _networkingVersions, true, EntryDecoder.ServiceEntry),
        new(Networking, "VirtualService", _networkingVersions, true, VirtualServiceDecoder.Decode),
        new(Networking, "DestinationRule", _networkingVersions, true, DestinationRuleDecoder.Decode),
        new(Networking, "ProxyConfig", ["v1beta1"], true, ProxyConfigDecoder.Decode),
        new(Security, "PeerAuthentication", _securityVersions, true, SecurityDecoder.PeerAuthentication),
        new(Security, "AuthorizationPolicy", _securityVersions, true, SecurityDecoder.AuthorizationPolicy),
        new(Security, "RequestAuthentication", _securityVersions, true, SecurityDecoder.RequestAuthentication),
        new("telemetry.istio.io", "Telemetry", ["v1", "v1alpha1"], true, TelemetryDecoder.Telemetry),
        new(MeshPolicy, "RateLimitPolicy", ["v1alpha1"], true, RateLimitDecoder.RateLimitPolicy),
        new(GatewayApi, "Gateway", _gatewayVersions, true, GatewayDecoder.Gateway),
        new(GatewayApi, "GatewayClass", _gatewayVersions, false, GatewayDecoder.GatewayClass),
        new(GatewayApi, "HTTPRoute", _gatewayVersions, true, HttpRouteDecoder.Decode),
        new(GatewayApi, "GRPCRoute", ["v1", "v1alpha2"], true, OtherRouteDecoder.Grpc),
        new(GatewayApi, "BackendTLSPolicy", ["v1", "v1alpha3"], true, BackendTlsDecoder.Decode),
        new(GatewayApi, "TCPRoute", ["v1", "v1alpha2"], true, OtherRouteDecoder.Tcp),
        new(GatewayApi, "TLSRoute", ["v1", "v1alpha3", "v1alpha2"], true, OtherRouteDecoder.Tls),
    ];

    /// <summary>Ordinary neighbours of mesh configuration in a folder; they mean nothing to the data plane.</summary>
    private static readonly HashSet<string> _ignored = new(StringComparer.Ordinal)
    {
        "/Secret", "/Endpoints", "/PersistentVolumeClaim", "/PersistentVolume", "/Event", "/LimitRange", "/ResourceQuota", "/ReplicationController",
        "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "apps/ReplicaSet", "batch/Job", "batch/CronJob",
        "networking.k8s.io/Ingress", "networking.k8s.io/IngressClass", "networking.k8s.io/NetworkPolicy",
        "rbac.authorization.k8s.io/Role", "rbac.authorization.k8s.io/RoleBinding", "rbac.authorization.k8s.io/ClusterRole", "rbac.authorization.k8s.io/ClusterRoleBinding",
        "policy/PodDisruptionBudget", "autoscaling/HorizontalPodAutoscaler", "apiextensions.k8s.io/CustomResourceDefinition", "coordination.k8s.io/Lease",
        // Routes of a mesh need no grant for a backend in another namespace, as in Istio.
        $"{GatewayApi}/ReferenceGrant",
    };

    /// <summary>Kinds that mean something to Istio's proxies. They are let in, so that documents can be shared, and their writers are told.</summary>
    private static readonly HashSet<string> _withoutEffect = new(StringComparer.Ordinal)
    {
        $"{Networking}/Sidecar", $"{Networking}/Gateway", $"{Networking}/EnvoyFilter",
        "extensions.istio.io/WasmPlugin",
    };

    private static readonly Dictionary<(string, string), KnownKind> _index = _all.ToDictionary(k => (k.Group, k.Kind));

    public static IReadOnlyList<KnownKind> All => _all;

    public static KnownKind? Find(string group, string kind) => _index.GetValueOrDefault((group, kind));

    public static bool IsAcceptedAndIgnored(string group, string kind) => _ignored.Contains($"{group}/{kind}");

    public static bool IsWithoutEffect(string group, string kind) => _withoutEffect.Contains($"{group}/{kind}");

    public static string? Nearest(string kind)
    {
        var name = Spelling.Nearest(kind, _all.Select(k => k.Kind));
        return name is null ? null : _all.First(k => k.Kind == name) is var known && known.Group.Length == 0 ? $"{name} (apiVersion v1)" : $"{name} (apiVersion {_all.First(k => k.Kind == name).Group}/v1)";
    }
}
