using System.Text.Json.Nodes;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Status;

/// <summary>status.ancestors of BackendTLSPolicies: one for each waypoint that stands before a target and so speaks TLS with it (Gateway API, GEP-1897).</summary>
internal static class BackendTlsStatus
{
    public static void Add(List<StatusEntry> statuses, ResourceSet resources, ServiceCatalog services)
    {
        foreach (var policy in resources.BackendTlsPolicies)
        {
            var targets = policy.Targets.Select(t => (Target: t, Service: services.FindSource(t.Kind, policy.Namespace, t.Name))).ToList();
            var waypoints = targets.Select(t => t.Service?.Binding.Waypoint).OfType<WaypointInfo>().DistinctBy(w => w.Id).OrderBy(w => w.Id, StringComparer.Ordinal).ToList();
            var missing = targets.Where(t => t.Service is null).Select(t => $"{t.Target.Kind} {t.Target.Name}").ToList();
            statuses.Add(new StatusEntry(policy.Kind, policy.Namespace, policy.Name, StatusEntry.GatewayWriter, new JsonObject
            {
                ["ancestors"] = new JsonArray([.. waypoints.Select(w => Ancestor(policy, w, missing, policy.MissingAuthority(resources)))]),
            }));
        }
    }

    private static JsonObject Ancestor(BackendTlsPolicy policy, WaypointInfo waypoint, List<string> missing, string? authority)
    {
        JsonObject Condition(string type, bool status, string reason, string message) => StatusEntry.Condition(type, status, reason, message, StatusEntry.GatewayGeneration(policy));
        return new JsonObject
        {
            ["ancestorRef"] = new JsonObject { ["group"] = "gateway.networking.k8s.io", ["kind"] = "Gateway", ["name"] = waypoint.Name, ["namespace"] = waypoint.Namespace },
            ["conditions"] = new JsonArray(
                authority is not null ? Condition("Accepted", false, "NoValidCACertificate", $"ConfigMap {policy.Namespace}/{authority} has no {BackendTlsPolicy.AuthorityKey}; nothing is sent to the targets")
                    : missing.Count > 0 ? Condition("Accepted", true, "Accepted", $"Not found: {string.Join(", ", missing)}")
                    : Condition("Accepted", true, "Accepted", "Configuration is valid"),
                authority is not null ? Condition("ResolvedRefs", false, "InvalidCACertificateRef", $"ConfigMap {policy.Namespace}/{authority} not found")
                    : Condition("ResolvedRefs", true, "ResolvedRefs", "All references resolved")),
            ["controllerName"] = WellKnown.GatewayController,
        };
    }
}
