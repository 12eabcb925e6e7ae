using System.Text.Json.Serialization;
using Mesh.Kubernetes.Objects;

namespace Mesh.Ztunnel.NodeAgent.Cluster;

/// <summary>Of a Pod only what enrolment looks at.</summary>
internal sealed record PodObject
{
    public ObjectMeta Metadata { get; init; } = new();

    public PodSpec Spec { get; init; } = new();

    public PodStatus Status { get; init; } = new();

    public ObjectKey Key => new(Metadata.Namespace ?? string.Empty, Metadata.Name ?? string.Empty);

    public string? Label(string name) => Metadata.Labels?.GetValueOrDefault(name);

    public string? Annotation(string name) => Metadata.Annotations?.GetValueOrDefault(name);
}

internal sealed record PodSpec
{
    public string? ServiceAccountName { get; init; }

    public bool? HostNetwork { get; init; }
}

internal sealed record PodStatus
{
    public string? Phase { get; init; }

    [JsonPropertyName("podIP")]
    public string? PodIp { get; init; }

    [JsonPropertyName("podIPs")]
    public IReadOnlyList<PodAddress>? PodIps { get; init; }

    /// <summary>All of them; older objects have the single field only.</summary>
    [JsonIgnore]
    public IEnumerable<string> Addresses => PodIps is { Count: > 0 } several ? several.Select(a => a.Ip).OfType<string>() : PodIp is { Length: > 0 } one ? [one] : [];
}

internal sealed record PodAddress
{
    [JsonPropertyName("ip")]
    public string? Ip { get; init; }
}

internal sealed record NamespaceObject
{
    public ObjectMeta Metadata { get; init; } = new();
}

[JsonSerializable(typeof(PodObject))]
[JsonSerializable(typeof(NamespaceObject))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
internal sealed partial class ClusterJson : JsonSerializerContext;
