using System.Text.Json.Serialization;
using Mesh.Kubernetes.Objects;

namespace Mesh.Kubernetes.Recording;

/// <summary>events.k8s.io/v1 Event.</summary>
public sealed record KubeEvent
{
    public string ApiVersion { get; init; } = "events.k8s.io/v1";
    public string Kind { get; init; } = "Event";
    public ObjectMeta Metadata { get; init; } = new();

    [JsonConverter(typeof(MicroTimeConverter))]
    public DateTimeOffset EventTime { get; init; }
    public EventSeries? Series { get; init; }
    public string? ReportingController { get; init; }
    public string? ReportingInstance { get; init; }
    public string? Action { get; init; }
    public string? Reason { get; init; }
    public ObjectReference? Regarding { get; init; }

    /// <summary>At most 1024 bytes.</summary>
    public string? Note { get; init; }

    /// <summary>Normal or Warning.</summary>
    public string? Type { get; init; }
}

public sealed record EventSeries
{
    public int Count { get; init; }

    [JsonConverter(typeof(MicroTimeConverter))]
    public DateTimeOffset LastObservedTime { get; init; }
}

public sealed record EventSeriesPatch
{
    public EventSeries? Series { get; init; }
}

public sealed record ObjectReference
{
    public string? ApiVersion { get; init; }
    public string? Kind { get; init; }
    public string? Namespace { get; init; }
    public string? Name { get; init; }
    public string? Uid { get; init; }
    public string? ResourceVersion { get; init; }
}
