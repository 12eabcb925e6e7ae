using System.Text.Json.Serialization;

namespace Mesh.Kubernetes.Objects;

/// <summary>The part of metadata that anybody here uses; managedFields is never kept.</summary>
public sealed record ObjectMeta
{
    public string? Name { get; init; }
    public string? Namespace { get; init; }
    public string? Uid { get; init; }

    /// <summary>Given back on a write: the server refuses it if somebody else was faster.</summary>
    public string? ResourceVersion { get; init; }
    public long? Generation { get; init; }
    public DateTimeOffset? CreationTimestamp { get; init; }
    public DateTimeOffset? DeletionTimestamp { get; init; }
    public IReadOnlyDictionary<string, string>? Labels { get; init; }
    public IReadOnlyDictionary<string, string>? Annotations { get; init; }
    public IReadOnlyList<OwnerReference>? OwnerReferences { get; init; }
}

public sealed record OwnerReference
{
    public required string ApiVersion { get; init; }
    public required string Kind { get; init; }
    public required string Name { get; init; }
    public required string Uid { get; init; }
    public bool? Controller { get; init; }
    public bool? BlockOwnerDeletion { get; init; }
}

/// <summary>An object of which only metadata is asked for (as=PartialObjectMetadata) or needed.</summary>
public sealed record PartialObject
{
    public string? ApiVersion { get; init; }
    public string? Kind { get; init; }
    public ObjectMeta Metadata { get; init; } = new();
}

/// <summary>Secret; values are bytes, base64 on the wire. Its text never shows them.</summary>
public sealed record Secret
{
    public string ApiVersion { get; init; } = "v1";
    public string Kind { get; init; } = "Secret";
    public ObjectMeta Metadata { get; init; } = new();
    public string? Type { get; init; }
    public IReadOnlyDictionary<string, byte[]>? Data { get; init; }

    public override string ToString() => $"Secret {Metadata.Namespace}/{Metadata.Name}";
}

public sealed record ConfigMap
{
    public string ApiVersion { get; init; } = "v1";
    public string Kind { get; init; } = "ConfigMap";
    public ObjectMeta Metadata { get; init; } = new();
    public IReadOnlyDictionary<string, string>? Data { get; init; }
}

/// <summary>What the API answers instead of an object.</summary>
public sealed record ApiStatus
{
    public string? Kind { get; init; }
    public string? Status { get; init; }
    public string? Message { get; init; }
    public string? Reason { get; init; }
    public int? Code { get; init; }
    public ApiStatusDetails? Details { get; init; }
}

public sealed record ApiStatusDetails
{
    public string? Name { get; init; }
    public string? Kind { get; init; }
    public int? RetryAfterSeconds { get; init; }
    public IReadOnlyList<ApiStatusCause>? Causes { get; init; }
}

public sealed record ApiStatusCause
{
    public string? Reason { get; init; }
    public string? Message { get; init; }
    public string? Field { get; init; }
}

/// <summary>Serialization without reflection for every type of this library that crosses the wire.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PartialObject))]
[JsonSerializable(typeof(Secret))]
[JsonSerializable(typeof(ConfigMap))]
[JsonSerializable(typeof(ApiStatus))]
[JsonSerializable(typeof(Leases.Lease))]
[JsonSerializable(typeof(Reviews.TokenReview))]
[JsonSerializable(typeof(Reviews.SubjectAccessReview))]
[JsonSerializable(typeof(Recording.KubeEvent))]
[JsonSerializable(typeof(Recording.EventSeriesPatch))]
[JsonSerializable(typeof(Requests.ApiGroup))]
[JsonSerializable(typeof(Requests.ApiResourceList))]
[JsonSerializable(typeof(Requests.DeleteOptions))]
public sealed partial class KubeJson : JsonSerializerContext;
