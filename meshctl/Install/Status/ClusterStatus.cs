using System.Text.Json.Serialization;

namespace Mesh.Meshctl.Install.Status;

/// <summary>The mesh of a cluster as its API server knows it.</summary>
/// <param name="Outside">Pods that asked to be in the mesh and are not.</param>
/// <param name="Labels">Labels that are nearly ours, and do nothing.</param>
/// <param name="NetworkPolicies">Those that keep pods of the mesh from pods which they let them reach.</param>
/// <param name="Events">What agents and control plane said, the newest first.</param>
internal sealed record ClusterStatus(
    IReadOnlyList<PartStatus> Parts, IReadOnlyList<NamespaceStatus> Namespaces, IReadOnlyList<OutsidePod> Outside, IReadOnlyList<string> Labels, IReadOnlyList<BlockedTunnel> NetworkPolicies,
    IReadOnlyList<ToldEvent> Events);

internal sealed record PartStatus(string Name, string State);

internal sealed record NamespaceStatus(string Name, int Asked, int Captured);

internal sealed record OutsidePod(string Pod, string Node, string State, string Reason);

internal sealed record ToldEvent(string On, string Reason, int Count, string Last, string Text);

[JsonSerializable(typeof(ClusterStatus))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
internal sealed partial class ClusterStatusJson : JsonSerializerContext;
