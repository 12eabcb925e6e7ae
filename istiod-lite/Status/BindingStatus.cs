using System.Text.Json.Nodes;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Status;

/// <summary>istio.io/WaypointBound, WaypointMissing and VisibilityApplied on Services, ServiceEntries and WorkloadEntries (reference: istiod 9).</summary>
internal static class BindingStatus
{
    private const string Bound = "istio.io/WaypointBound";
    private const string Missing = "istio.io/WaypointMissing";
    private const string Visibility = "istio.io/VisibilityApplied";

    public static void Add(List<StatusEntry> statuses, ServiceCatalog services, IEnumerable<MeshWorkload> workloads, MeshSettings settings, ServiceTranslator translator)
    {
        foreach (var service in services.All.Where(s => s.IsKubernetes))
            AddService(statuses, (Service)service.Source, service.Binding);
        foreach (var own in services.All.Where(s => s.Entry is not null).GroupBy(s => s.Entry!))
            AddEntry(statuses, own.Key, own.First().Binding, settings, translator);
        foreach (var workload in workloads.Where(w => w.Source is WorkloadEntry))
        {
            if (ConditionOf(workload.Binding) is { } condition)
                statuses.Add(StatusEntry.Conditions(workload.Source, StatusEntry.WorkloadEntryWriter, condition));
        }
    }

    private static void AddService(List<StatusEntry> statuses, Service service, WaypointBinding binding)
    {
        if (ConditionOf(binding) is { } condition)
            statuses.Add(StatusEntry.Conditions(service, StatusEntry.ServiceWriter, condition));
        else if (service.ConditionTypes.Contains(Bound, StringComparer.Ordinal))
            statuses.Add(StatusEntry.Conditions(service, StatusEntry.ServiceWriter));
    }

    private static void AddEntry(List<StatusEntry> statuses, ServiceEntry entry, WaypointBinding binding, MeshSettings settings, ServiceTranslator translator)
    {
        var conditions = new List<JsonObject>();
        if (ConditionOf(binding) is { } bound)
            conditions.Add(bound);
        if (binding.Waypoint is null)
        {
            if (entry.Hosts.Any(h => h.StartsWith('*')))
                conditions.Add(StatusEntry.Condition(Missing, status: true, "NoWaypointForWildcardService", "ServiceEntry will not apply until it is bound to a valid waypoint."));
            else if (entry.Meta.Annotation(WellKnown.ConnectStrategy) is "RACE_FIRST_TCP_CONNECT")
            {
                conditions.Add(StatusEntry.Condition(Missing, status: true, "NoWaypointForRacingConnectStrategy",
                    "ServiceEntry has a non-default connect strategy but no waypoint bound. A waypoint is required for connect strategies to take effect for ambient clients."));
            }
        }
        if (settings.DefaultVisibility is not null)
        {
            conditions.Add(translator.VisibilityOf(entry) is EntryVisibility.Namespace
                ? StatusEntry.Condition(Visibility, status: true, "Namespace", "ServiceEntry is visible only within its own namespace (NAMESPACE), per mesh serviceEntryVisibility.")
                : StatusEntry.Condition(Visibility, status: true, "Public", "ServiceEntry is visible to the entire mesh (PUBLIC)."));
        }
        if (conditions.Count > 0 || entry.ConditionTypes.Any(t => t is Bound or Missing or Visibility))
            statuses.Add(StatusEntry.Conditions(entry, StatusEntry.ServiceWriter, [.. conditions]));
    }

    private static JsonObject? ConditionOf(WaypointBinding binding)
    {
        if (binding.Failure is { } failure)
            return StatusEntry.Condition(Bound, status: false, failure.Reason, failure.Message);
        if (binding.Waypoint is not { } waypoint)
            return null;
        var message = $"Successfully attached to waypoint {waypoint.Id}" + binding.IngressUsesWaypoint switch
        {
            true => ". Ingress traffic will traverse the waypoint",
            false => ". Ingress traffic is not using the waypoint, set the istio.io/ingress-use-waypoint label to true if desired.",
            null => string.Empty,
        };
        return StatusEntry.Condition(Bound, status: true, "WaypointAccepted", message);
    }
}
