using Google.Protobuf;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Status;
using Sec = Istio.Security;
using Wds = Istio.Workload;

namespace Mesh.IstiodLite.Translation;

/// <summary>One <c>istio.workload.Address</c> with the names under which on-demand clients may ask for it.</summary>
internal sealed record TranslatedAddress(string Name, IReadOnlyList<string> Aliases, Wds.Address Address)
{
    public static TranslatedAddress Of(Wds.Workload workload) =>
        new(workload.Uid, [.. workload.Addresses.Select(a => Alias(workload.Network, a, null))], new Wds.Address { Workload = workload });

    public static TranslatedAddress Of(string key, Wds.Service service) =>
        new(key, [.. service.Addresses.Select(a => Alias(a.Network, a.Address, a.HasLength ? a.Length : null))], new Wds.Address { Service = service });

    private static string Alias(string network, ByteString address, uint? length) =>
        length is null ? $"{network}/{IpBytes.Text(address)}" : $"{network}/{IpBytes.Text(address)}/{length}";
}

/// <summary>What one waypoint is sent.</summary>
internal sealed record WaypointConfiguration(
    string Waypoint,
    IReadOnlyDictionary<string, IMessage> Services,
    IReadOnlyDictionary<string, IMessage> Clusters,
    IReadOnlyDictionary<string, IMessage> Policies);

/// <summary>Names that were added, changed or removed; those of waypoints by their id.</summary>
internal sealed record TranslationChanges(IReadOnlyCollection<string> Addresses, IReadOnlyCollection<string> Authorizations, IReadOnlyDictionary<string, WaypointChanges> Waypoints);

internal sealed record WaypointChanges(IReadOnlyCollection<string> Services, IReadOnlyCollection<string> Clusters, IReadOnlyCollection<string> Policies);

/// <summary>The result of one translation: everything the clients may be sent, and what people should know about it. Immutable after construction.</summary>
internal sealed class Translated
{
    public required IReadOnlyDictionary<string, TranslatedAddress> Addresses { get; init; }
    public required IReadOnlyDictionary<string, Sec.Authorization> Authorizations { get; init; }
    /// <summary>Made when first asked for; the same object as before while nothing changed that a status speaks of.</summary>
    public required Lazy<IReadOnlyList<StatusEntry>> StatusSource { get; init; }
    public IReadOnlyList<StatusEntry> Statuses => StatusSource.Value;
    /// <summary>Made when first asked for: it is for people, and looks at everything.</summary>
    public required Lazy<IReadOnlyList<Problem>> ProblemSource { get; init; }
    public IReadOnlyList<Problem> Problems => ProblemSource.Value;
    /// <summary>What is different from the translation before; null: everything may be.</summary>
    public TranslationChanges? Changes { get; init; }
    /// <summary>By "namespace/gateway".</summary>
    public required IReadOnlyDictionary<string, WaypointConfiguration> Waypoints { get; init; }
    public required AddressBook Book { get; init; }
    public required ResourceSet Resources { get; init; }
    /// <summary>With what MeshConfig says.</summary>
    public required MeshSettings Settings { get; init; }
    public required WaypointCatalog Catalog { get; init; }
    /// <summary>How many there are.</summary>
    public required int Services { get; init; }
}
