using Mesh.Kubernetes;

namespace Mesh.Meshctl.Install;

/// <summary>Where the API serves each kind that a manifest of the mesh may hold.</summary>
internal static class ManifestKinds
{
    public static readonly ResourceType GatewayClasses = new("gateway.networking.k8s.io", "v1", "gatewayclasses", "GatewayClass", Namespaced: false);
    public static readonly ResourceType Gateways = new("gateway.networking.k8s.io", "v1", "gateways", "Gateway");

    public static readonly ResourceType AuthorizationPolicies = new("security.istio.io", "v1", "authorizationpolicies", "AuthorizationPolicy");

    private const string Rbac = "rbac.authorization.k8s.io";

    private static readonly ResourceType[] All =
    [
        ResourceTypes.CustomResourceDefinitions, ResourceTypes.Namespaces, ResourceTypes.ServiceAccounts, ResourceTypes.ConfigMaps, ResourceTypes.Services, ResourceTypes.Deployments,
        ResourceTypes.DaemonSets, ResourceTypes.PodDisruptionBudgets, ResourceTypes.ValidatingWebhooks, GatewayClasses,
        new(Rbac, "v1", "clusterroles", "ClusterRole", Namespaced: false), new(Rbac, "v1", "clusterrolebindings", "ClusterRoleBinding", Namespaced: false),
        new(Rbac, "v1", "roles", "Role"), new(Rbac, "v1", "rolebindings", "RoleBinding"), ResourceTypes.NetworkPolicies,
        new("monitoring.coreos.com", "v1", "servicemonitors", "ServiceMonitor"), new("monitoring.coreos.com", "v1", "podmonitors", "PodMonitor"),
    ];

    /// <summary>With what the probe makes.</summary>
    private static readonly Dictionary<string, ResourceType> ByKind = All.Append(ResourceTypes.Pods).Append(AuthorizationPolicies).ToDictionary(t => $"{t.ApiVersion}/{t.Kind}", StringComparer.Ordinal);

    /// <summary>Without those that only some clusters have.</summary>
    public static IEnumerable<ResourceType> Always => All.Where(t => t.Group != "monitoring.coreos.com");

    /// <summary>Kinds of which an earlier version may have left objects that the present one no longer has.</summary>
    public static IEnumerable<ResourceType> Prunable => Always.Where(t => t != ResourceTypes.CustomResourceDefinitions && t != ResourceTypes.Namespaces);

    public static ResourceType Of(ManifestObject item) => ByKind[$"{item.ApiVersion}/{item.Kind}"];
}
