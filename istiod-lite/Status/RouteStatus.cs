using System.Text.Json.Nodes;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Status;

/// <summary>status.parents of routes, for parents that are Services or ServiceEntries.</summary>
internal static class RouteStatus
{
    public static void Add(List<StatusEntry> statuses, ResourceSet resources, ServiceCatalog services)
    {
        foreach (var route in resources.HttpRoutes.Cast<GatewayRoute>().Concat(resources.L4Routes))
        {
            var parents = new JsonArray();
            foreach (var parent in route.Parents.Where(p => p.Kind is "Service" or "ServiceEntry"))
                parents.Add(Parent(route, parent, services));
            if (parents.Count > 0)
                statuses.Add(new StatusEntry(route.Kind, route.Namespace, route.Name, StatusEntry.GatewayWriter, new JsonObject { ["parents"] = parents }));
        }
    }

    public static MeshService? FindService(ServiceCatalog services, GatewayRoute route, RouteReference reference)
    {
        var kind = reference.Kind is null or "Service" ? "Service" : reference.Kind;
        return services.FindSource(kind, reference.Namespace ?? route.Namespace, reference.Name);
    }

    private static JsonObject Parent(GatewayRoute route, RouteReference parent, ServiceCatalog services)
    {
        var generation = route.Meta.Generation == 0 ? null : (JsonNode)route.Meta.Generation;
        var found = FindService(services, route, parent) is not null;
        var missing = route.Destinations.FirstOrDefault(b => FindService(services, route, b) is null);
        var reference = new JsonObject { ["group"] = parent.Group ?? "gateway.networking.k8s.io", ["kind"] = parent.Kind, ["name"] = parent.Name };
        if (parent.Namespace is not null)
            reference["namespace"] = parent.Namespace;
        if (parent.Port is not null)
            reference["port"] = parent.Port;
        if (parent.SectionName is not null)
            reference["sectionName"] = parent.SectionName;
        return new JsonObject
        {
            ["conditions"] = new JsonArray(
                found
                    ? StatusEntry.Condition("Accepted", status: true, "Accepted", "Route was valid", generation?.DeepClone())
                    : StatusEntry.Condition("Accepted", status: false, "NoMatchingParent", $"parent {parent.Kind!.ToLowerInvariant()}: \"{parent.Name}\" not found", generation?.DeepClone()),
                missing is null
                    ? StatusEntry.Condition("ResolvedRefs", status: true, "ResolvedRefs", "All references resolved", generation?.DeepClone())
                    : StatusEntry.Condition("ResolvedRefs", status: false, "BackendNotFound", $"backend({missing.Name}.{missing.Namespace ?? route.Namespace}.svc.cluster.local) not found", generation?.DeepClone()),
                StatusEntry.Condition("ResolvedWaypoints", status: true, "ResolvedWaypoints", found ? "All waypoints resolved" : "parent not found", generation?.DeepClone())),
            ["controllerName"] = WellKnown.GatewayController,
            ["parentRef"] = reference,
        };
    }
}
