using Google.Protobuf;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Status;
using Sec = Istio.Security;
using Wds = Istio.Workload;

namespace Mesh.IstiodLite.Translation;

/// <summary>One <c>istio.workload.Address</c> with the names under which on-demand clients may ask for it.</summary>
internal sealed record TranslatedAddress(string Name, IReadOnlyList<string> Aliases, Wds.Address Address);

/// <summary>What one waypoint is sent.</summary>
internal sealed record WaypointConfiguration(
    string Waypoint,
    IReadOnlyDictionary<string, IMessage> Services,
    IReadOnlyDictionary<string, IMessage> Clusters,
    IReadOnlyDictionary<string, IMessage> Policies);

/// <summary>The result of one translation: everything the clients may be sent, and what people should know about it. Immutable after construction.</summary>
internal sealed class Translated
{
    public required IReadOnlyDictionary<string, TranslatedAddress> Addresses { get; init; }
    public required IReadOnlyDictionary<string, Sec.Authorization> Authorizations { get; init; }
    public required IReadOnlyList<StatusEntry> Statuses { get; init; }
    public required IReadOnlyList<Problem> Problems { get; init; }
    /// <summary>By "namespace/gateway".</summary>
    public required IReadOnlyDictionary<string, WaypointConfiguration> Waypoints { get; init; }
    public required AddressBook Book { get; init; }
    public required ResourceSet Resources { get; init; }
    /// <summary>With what MeshConfig says.</summary>
    public required MeshSettings Settings { get; init; }
    public required WaypointCatalog Catalog { get; init; }
}
