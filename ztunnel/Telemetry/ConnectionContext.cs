using System.Net;
using Mesh.Model;
using Mesh.Model.Workloads;

namespace Mesh.Ztunnel.Telemetry;

/// <summary>Who talks to whom, as logs, metrics and records name it. Immutable; known once the destination is decided.</summary>
internal sealed record ConnectionContext
{
    public Workload? Source { get; init; }

    public Workload? Destination { get; init; }

    public Service? Service { get; init; }

    public bool IsMutualTls { get; init; }

    /// <summary>Metrics name it also without mTLS where the registry knows it; the log only with.</summary>
    public SpiffeId? SourceIdentity { get; init; }

    public SpiffeId? DestinationIdentity { get; init; }

    /// <summary>The client for whom the destination's own waypoint speaks.</summary>
    public SpiffeId? ClientIdentity { get; init; }

    /// <summary>Labels that replace those of <see cref="Source"/>: the registry cannot know a source of another network.</summary>
    public TrafficPeer? SourceLabels { get; init; }

    public TrafficPeer? DestinationLabels { get; init; }

    /// <summary>The next hop (outbound) or our listener (inbound).</summary>
    public required EndPoint Hop { get; init; }

    /// <summary>How it goes on from here, one of docs/decisions.md; null inbound.</summary>
    public string? Route { get; init; }

    /// <summary>The authority of the CONNECT.</summary>
    public string? HboneTarget { get; init; }

    /// <summary>What the connection was made to: connections to one place share it with the rest.</summary>
    public IPEndPoint? Target { get; init; }

    /// <summary>The host that the client had asked for, where the CONNECT says so.</summary>
    public string? ForwardedHost { get; init; }

    public string? SourceName => Name(Source, SourceLabels);

    public string? DestinationName => DestinationLabels is { } said ? OrNull(said.Workload) : Name(Destination, null);

    private static string? Name(Workload? workload, TrafficPeer? labels) =>
        workload is { Name.Length: > 0 } ? workload.Name : OrNull(labels?.Workload) ?? OrNull(workload?.CanonicalName);

    private static string? OrNull(string? text) => string.IsNullOrEmpty(text) || text == TrafficPeer.Unknown ? null : text;
}
