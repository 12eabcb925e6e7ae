using System.Text.Json.Nodes;

namespace Mesh.Testing.Kubernetes.Storage;

/// <summary>One kind that the server serves, in one or more versions.</summary>
public sealed record ServedKind(string Group, IReadOnlyList<string> Versions, string Plural, string Kind, bool Namespaced)
{
    public string Singular { get; init; } = Kind.ToLowerInvariant();
    public IReadOnlyList<string> ShortNames { get; init; } = [];
    public bool HasStatus { get; init; } = true;

    /// <summary>Defined by a CustomResourceDefinition.</summary>
    public bool IsCustom { get; init; }

    /// <summary>Reviews: answered, never stored.</summary>
    public bool IsQuestion { get; init; }

    public string Name => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    public string ApiVersion(string version) => Group.Length == 0 ? version : $"{Group}/{version}";

    internal static ServedKind FromDefinition(JsonObject definition)
    {
        var spec = definition["spec"]!;
        var names = spec["names"]!;
        var versions = spec["versions"]!.AsArray();
        return new ServedKind((string)spec["group"]!, [.. versions.Where(v => (bool)v!["served"]!).Select(v => (string)v!["name"]!)], (string)names["plural"]!, (string)names["kind"]!, (string)spec["scope"]! == "Namespaced")
        {
            Singular = (string?)names["singular"] ?? ((string)names["kind"]!).ToLowerInvariant(),
            ShortNames = [.. (names["shortNames"] as JsonArray ?? []).Select(n => (string)n!)],
            HasStatus = versions.Any(v => v!["subresources"]?["status"] is not null),
            IsCustom = true,
        };
    }

    public static IReadOnlyList<ServedKind> BuiltIn { get; } =
    [
        new("", ["v1"], "pods", "Pod", true) { ShortNames = ["po"] },
        new("", ["v1"], "services", "Service", true) { ShortNames = ["svc"] },
        new("", ["v1"], "namespaces", "Namespace", false) { ShortNames = ["ns"] },
        new("", ["v1"], "nodes", "Node", false) { ShortNames = ["no"] },
        new("", ["v1"], "serviceaccounts", "ServiceAccount", true) { ShortNames = ["sa"], HasStatus = false },
        new("", ["v1"], "configmaps", "ConfigMap", true) { ShortNames = ["cm"], HasStatus = false },
        new("", ["v1"], "secrets", "Secret", true) { HasStatus = false },
        new("", ["v1"], "events", "Event", true) { HasStatus = false },
        new("", ["v1"], "endpoints", "Endpoints", true) { HasStatus = false },
        new("", ["v1"], "resourcequotas", "ResourceQuota", true),
        new("apps", ["v1"], "deployments", "Deployment", true) { ShortNames = ["deploy"] },
        new("apps", ["v1"], "daemonsets", "DaemonSet", true) { ShortNames = ["ds"] },
        new("apps", ["v1"], "replicasets", "ReplicaSet", true),
        new("apps", ["v1"], "statefulsets", "StatefulSet", true),
        new("batch", ["v1"], "jobs", "Job", true),
        new("autoscaling", ["v2"], "horizontalpodautoscalers", "HorizontalPodAutoscaler", true) { ShortNames = ["hpa"] },
        new("policy", ["v1"], "poddisruptionbudgets", "PodDisruptionBudget", true) { ShortNames = ["pdb"] },
        new("discovery.k8s.io", ["v1"], "endpointslices", "EndpointSlice", true) { HasStatus = false },
        new("coordination.k8s.io", ["v1"], "leases", "Lease", true) { HasStatus = false },
        new("events.k8s.io", ["v1"], "events", "Event", true) { HasStatus = false },
        new("networking.k8s.io", ["v1"], "networkpolicies", "NetworkPolicy", true) { HasStatus = false },
        new("rbac.authorization.k8s.io", ["v1"], "roles", "Role", true) { HasStatus = false },
        new("rbac.authorization.k8s.io", ["v1"], "rolebindings", "RoleBinding", true) { HasStatus = false },
        new("rbac.authorization.k8s.io", ["v1"], "clusterroles", "ClusterRole", false) { HasStatus = false },
        new("rbac.authorization.k8s.io", ["v1"], "clusterrolebindings", "ClusterRoleBinding", false) { HasStatus = false },
        new("admissionregistration.k8s.io", ["v1"], "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", false) { HasStatus = false },
        new("admissionregistration.k8s.io", ["v1"], "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", false) { HasStatus = false },
        new("scheduling.k8s.io", ["v1"], "priorityclasses", "PriorityClass", false) { HasStatus = false },
        new("apiextensions.k8s.io", ["v1"], "customresourcedefinitions", "CustomResourceDefinition", false) { ShortNames = ["crd"] },
        new("authentication.k8s.io", ["v1"], "tokenreviews", "TokenReview", false) { IsQuestion = true },
        new("authentication.k8s.io", ["v1"], "selfsubjectreviews", "SelfSubjectReview", false) { IsQuestion = true },
        new("authorization.k8s.io", ["v1"], "subjectaccessreviews", "SubjectAccessReview", false) { IsQuestion = true },
        new("authorization.k8s.io", ["v1"], "selfsubjectaccessreviews", "SelfSubjectAccessReview", false) { IsQuestion = true },
    ];

    /// <summary>The kinds that Istio and the Gateway API install, as definitions without schemas.</summary>
    public static IEnumerable<JsonObject> MeshDefinitions()
    {
        (string Group, string[] Versions, string Plural, string Kind, bool Namespaced)[] kinds =
        [
            ("security.istio.io", ["v1", "v1beta1"], "authorizationpolicies", "AuthorizationPolicy", true),
            ("security.istio.io", ["v1", "v1beta1"], "peerauthentications", "PeerAuthentication", true),
            ("security.istio.io", ["v1", "v1beta1"], "requestauthentications", "RequestAuthentication", true),
            ("networking.istio.io", ["v1", "v1beta1", "v1alpha3"], "virtualservices", "VirtualService", true),
            ("networking.istio.io", ["v1", "v1beta1", "v1alpha3"], "destinationrules", "DestinationRule", true),
            ("networking.istio.io", ["v1", "v1beta1", "v1alpha3"], "serviceentries", "ServiceEntry", true),
            ("networking.istio.io", ["v1", "v1beta1", "v1alpha3"], "workloadentries", "WorkloadEntry", true),
            ("networking.istio.io", ["v1", "v1beta1", "v1alpha3"], "workloadgroups", "WorkloadGroup", true),
            ("networking.istio.io", ["v1", "v1beta1", "v1alpha3"], "gateways", "Gateway", true),
            ("networking.istio.io", ["v1", "v1beta1", "v1alpha3"], "sidecars", "Sidecar", true),
            ("networking.istio.io", ["v1beta1"], "proxyconfigs", "ProxyConfig", true),
            ("networking.istio.io", ["v1alpha3"], "envoyfilters", "EnvoyFilter", true),
            ("telemetry.istio.io", ["v1", "v1alpha1"], "telemetries", "Telemetry", true),
            ("extensions.istio.io", ["v1alpha1"], "wasmplugins", "WasmPlugin", true),
            ("gateway.networking.k8s.io", ["v1", "v1beta1"], "gatewayclasses", "GatewayClass", false),
            ("gateway.networking.k8s.io", ["v1", "v1beta1"], "gateways", "Gateway", true),
            ("gateway.networking.k8s.io", ["v1", "v1beta1"], "httproutes", "HTTPRoute", true),
            ("gateway.networking.k8s.io", ["v1"], "grpcroutes", "GRPCRoute", true),
            ("gateway.networking.k8s.io", ["v1alpha2"], "tcproutes", "TCPRoute", true),
            ("gateway.networking.k8s.io", ["v1alpha2"], "tlsroutes", "TLSRoute", true),
            ("gateway.networking.k8s.io", ["v1beta1"], "referencegrants", "ReferenceGrant", true),
            ("gateway.networking.k8s.io", ["v1"], "backendtlspolicies", "BackendTLSPolicy", true),
        ];
        return kinds.Select(k => Definition(k.Group, k.Plural, k.Kind, k.Namespaced, k.Versions));
    }

    public static JsonObject Definition(string group, string plural, string kind, bool namespaced, params string[] versions) => new()
    {
        ["apiVersion"] = "apiextensions.k8s.io/v1",
        ["kind"] = "CustomResourceDefinition",
        ["metadata"] = new JsonObject { ["name"] = $"{plural}.{group}" },
        ["spec"] = new JsonObject
        {
            ["group"] = group,
            ["scope"] = namespaced ? "Namespaced" : "Cluster",
            ["names"] = new JsonObject { ["plural"] = plural, ["kind"] = kind, ["listKind"] = kind + "List", ["singular"] = kind.ToLowerInvariant() },
            ["versions"] = new JsonArray([.. versions.Select((v, i) => (JsonNode)new JsonObject
            {
                ["name"] = v,
                ["served"] = true,
                ["storage"] = i == 0,
                ["schema"] = new JsonObject { ["openAPIV3Schema"] = new JsonObject { ["type"] = "object", ["x-kubernetes-preserve-unknown-fields"] = true } },
                ["subresources"] = new JsonObject { ["status"] = new JsonObject() },
            })]),
        },
    };
}
