using Mesh.Model.Workloads;

namespace Mesh.Ztunnel.Telemetry;

/// <summary>One side of a connection as metrics label it. Missing parts are <see cref="Unknown"/>.</summary>
internal sealed record TrafficPeer
{
    public const string Unknown = "unknown";

    public static readonly TrafficPeer Nobody = new();

    private int _hash;

    public string Workload { get; private init; } = Unknown;

    public string CanonicalService { get; private init; } = Unknown;

    public string CanonicalRevision { get; private init; } = Unknown;

    public string Namespace { get; private init; } = Unknown;

    public string App { get; private init; } = Unknown;

    public string Cluster { get; private init; } = Unknown;

    public string Region { get; private init; } = Unknown;

    public string Zone { get; private init; } = Unknown;

    public static TrafficPeer Of(Workload? workload) => workload is null ? Nobody : new TrafficPeer
    {
        Workload = OrUnknown(workload.WorkloadName),
        CanonicalService = OrUnknown(workload.CanonicalName),
        CanonicalRevision = OrUnknown(workload.CanonicalRevision),
        Namespace = OrUnknown(workload.Namespace),
        App = OrUnknown(workload.CanonicalName),
        Cluster = OrUnknown(workload.ClusterId),
        Region = OrUnknown(workload.Locality.Region),
        Zone = OrUnknown(workload.Locality.Zone),
    };

    /// <summary>From what the peer says of itself. Its app is its workload name there: baggage has no other.</summary>
    public static TrafficPeer FromBaggage(string? cluster, string? @namespace, string? workload, string? service, string? revision, string? region, string? zone) => new()
    {
        Workload = OrUnknown(workload),
        CanonicalService = OrUnknown(service),
        CanonicalRevision = OrUnknown(revision),
        Namespace = OrUnknown(@namespace),
        App = OrUnknown(workload),
        Cluster = OrUnknown(cluster),
        Region = OrUnknown(region),
        Zone = OrUnknown(zone),
    };

    /// <summary>Looked up twice per connection: the same record is the usual case, and the hash of eight strings is worth keeping.</summary>
    public bool Equals(TrafficPeer? other) => ReferenceEquals(this, other)
        || (other is not null && Workload == other.Workload && CanonicalService == other.CanonicalService && CanonicalRevision == other.CanonicalRevision
            && Namespace == other.Namespace && App == other.App && Cluster == other.Cluster && Region == other.Region && Zone == other.Zone);

    public override int GetHashCode() => _hash != 0
        ? _hash
        : _hash = HashCode.Combine(Workload, CanonicalService, CanonicalRevision, Namespace, App, Cluster, Region, Zone) | 1;

    private static string OrUnknown(string? value) => string.IsNullOrEmpty(value) ? Unknown : value;
}
