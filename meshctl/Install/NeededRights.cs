using Mesh.Kubernetes;

namespace Mesh.Meshctl.Install;

/// <summary>One verb on one kind, in all namespaces.</summary>
internal sealed record NeededRight(ResourceType Type, string Verb);

/// <summary>What install, upgrade and uninstall ask of the API server, all of it and no more; the tests run the commands with exactly these.</summary>
internal static class NeededRights
{
    public static IReadOnlyList<NeededRight> All { get; } =
    [
        .. ManifestKinds.Always.SelectMany(t => new[] { "create", "patch", "delete" }.Select(verb => new NeededRight(t, verb))),
        .. ManifestKinds.Prunable.Append(ResourceTypes.Namespaces).Append(ResourceTypes.Nodes).Select(t => new NeededRight(t, "list")),
        new(ResourceTypes.CustomResourceDefinitions, "get"), new(ResourceTypes.Deployments, "get"), new(ResourceTypes.DaemonSets, "get"),
    ];

    /// <summary>What the probe asks beside; it makes what it needs in a namespace of its own.</summary>
    public static IReadOnlyList<NeededRight> Probe { get; } =
    [
        new(ResourceTypes.DaemonSets, "get"), new(ResourceTypes.Namespaces, "list"), new(ResourceTypes.Namespaces, "create"), new(ResourceTypes.Namespaces, "delete"), new(ResourceTypes.ServiceAccounts, "create"),
        new(ManifestKinds.AuthorizationPolicies, "create"), new(ResourceTypes.Pods, "create"), new(ResourceTypes.Pods, "get"), new(ResourceTypes.Events, "list"),
    ];

    /// <summary>What a look at a mesh in a cluster asks; it changes nothing.</summary>
    public static IReadOnlyList<NeededRight> Status { get; } =
    [
        .. new[] { ResourceTypes.Namespaces, ResourceTypes.Pods, ResourceTypes.Events, ResourceTypes.Deployments, ResourceTypes.DaemonSets, ResourceTypes.Leases, ResourceTypes.NetworkPolicies }.Select(t => new NeededRight(t, "list")),
    ];
}
