using Mesh.Model;
using Mesh.Model.Workloads;

namespace Mesh.Ztunnel.Telemetry;

/// <summary>The label set of all <c>istio_tcp_*</c> traffic metrics, in the order that dashboards and tests know.</summary>
internal static class TrafficLabels
{
    public static readonly string[] Names =
    [
        "reporter",
        "source_workload", "source_canonical_service", "source_canonical_revision", "source_workload_namespace", "source_principal", "source_app", "source_version", "source_cluster",
        "destination_service", "destination_service_namespace", "destination_service_name",
        "destination_workload", "destination_canonical_service", "destination_canonical_revision", "destination_workload_namespace", "destination_principal",
        "destination_app", "destination_version", "destination_cluster",
        "request_protocol", "response_flags", "connection_security_policy",
        "source_region", "source_zone", "destination_region", "destination_zone",
    ];

    /// <summary>Only on connections whose waypoint stated for whom it speaks.</summary>
    public const string ClientPrincipal = "client_principal";

    public static string[] Values(in TrafficKey key, string flags) =>
    [
        key.IsSource ? "source" : "destination",
        key.Source.Workload, key.Source.CanonicalService, key.Source.CanonicalRevision, key.Source.Namespace, Principal(key.SourceIdentity), key.Source.App, key.Source.CanonicalRevision, key.Source.Cluster,
        OrUnknown(key.Service?.Hostname), OrUnknown(key.Service?.Namespace), OrUnknown(key.Service?.Name),
        key.Destination.Workload, key.Destination.CanonicalService, key.Destination.CanonicalRevision, key.Destination.Namespace, Principal(key.DestinationIdentity),
        key.Destination.App, key.Destination.CanonicalRevision, key.Destination.Cluster,
        "tcp", flags, key.IsMutualTls ? "mutual_tls" : TrafficPeer.Unknown,
        key.Source.Region, key.Source.Zone, key.Destination.Region, key.Destination.Zone,
    ];

    private static string Principal(SpiffeId? identity) => identity?.ToString() ?? TrafficPeer.Unknown;

    private static string OrUnknown(string? value) => string.IsNullOrEmpty(value) ? TrafficPeer.Unknown : value;
}

/// <summary>Everything that the labels of a connection depend on but the flags.</summary>
/// <param name="ClientIdentity">The client that a waypoint stated, when it counted.</param>
internal readonly record struct TrafficKey(
    bool IsSource,
    TrafficPeer Source,
    SpiffeId? SourceIdentity,
    TrafficPeer Destination,
    SpiffeId? DestinationIdentity,
    ServiceLabels? Service,
    bool IsMutualTls,
    SpiffeId? ClientIdentity);

/// <summary>A service as labels name it.</summary>
internal sealed record ServiceLabels(string Hostname, string Namespace, string Name)
{
    public static ServiceLabels? Of(Service? service) => service is null ? null : new ServiceLabels(service.Hostname, service.Namespace, service.Name);
}
