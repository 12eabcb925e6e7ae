using System.Text.Json.Serialization;
using Mesh.Kubernetes.Objects;

namespace Mesh.Kubernetes.Leases;

/// <summary>coordination.k8s.io/v1 Lease.</summary>
public sealed record Lease
{
    public string ApiVersion { get; init; } = "coordination.k8s.io/v1";
    public string Kind { get; init; } = "Lease";
    public ObjectMeta Metadata { get; init; } = new();
    public LeaseSpec Spec { get; init; } = new();
}

public sealed record LeaseSpec
{
    /// <summary>Empty: released.</summary>
    public string? HolderIdentity { get; init; }
    public int? LeaseDurationSeconds { get; init; }

    [JsonConverter(typeof(MicroTimeConverter))]
    public DateTimeOffset? AcquireTime { get; init; }

    [JsonConverter(typeof(MicroTimeConverter))]
    public DateTimeOffset? RenewTime { get; init; }
    public int? LeaseTransitions { get; init; }
}
