using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Status;

/// <summary>Everything that statuses speak of.</summary>
internal sealed record StatusInput(
    ResourceSet Resources, MeshSettings Settings, ServiceCatalog Services, IReadOnlyList<MeshWorkload> Workloads, PolicySet Policies, WaypointCatalog Waypoints, ServiceTranslator Translator, AddressBook Book);

/// <summary>What all writers would write, in the order of kind, namespace, name and writer.</summary>
internal static class MeshStatuses
{
    public static IReadOnlyList<StatusEntry> Of(StatusInput input)
    {
        var statuses = new List<StatusEntry>();
        BindingStatus.Add(statuses, input.Services, input.Workloads, input.Settings, input.Translator);
        statuses.AddRange(input.Policies.Statuses);
        TargetStatus.Add(statuses, input.Resources, input.Services, input.Waypoints, input.Settings, r => MeshTranslator.InRevision(r, input.Settings));
        AllocationStatus.Add(statuses, input.Resources, input.Book);
        GatewayStatus.Add(statuses, input.Resources, input.Services, input.Settings);
        RouteStatus.Add(statuses, input.Resources, input.Services);
        BackendTlsStatus.Add(statuses, input.Resources, input.Services);
        statuses.Sort(Compare);
        return statuses;
    }

    private static int Compare(StatusEntry a, StatusEntry b)
    {
        var order = string.CompareOrdinal(a.Kind, b.Kind);
        order = order != 0 ? order : string.CompareOrdinal(a.Namespace, b.Namespace);
        order = order != 0 ? order : string.CompareOrdinal(a.Name, b.Name);
        return order != 0 ? order : string.CompareOrdinal(a.Writer, b.Writer);
    }
}
