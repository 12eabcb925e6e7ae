using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Status;

/// <summary>What a targetRef of a policy resolves to.</summary>
internal sealed record TargetResolution(string Text, WaypointInfo? Waypoint, MeshService? Service, string? Reason, string? Message);

/// <summary>WaypointAccepted on AuthorizationPolicies with targetRefs, and on our RateLimitPolicies.</summary>
internal static class TargetStatus
{
    public static void Add(List<StatusEntry> statuses, ResourceSet resources, ServiceCatalog services, WaypointCatalog waypoints, MeshSettings settings, Func<Resource, bool> inRevision)
    {
        foreach (var policy in resources.AuthorizationPolicies.Cast<TargetedPolicy>().Concat(resources.RateLimitPolicies).Where(p => p.Targets.Count > 0).Where(r => inRevision(r)))
        {
            var resolutions = policy.Targets.Select(t => Resolve(policy, t, resources, services, waypoints, settings)).ToList();
            var good = resolutions.Where(r => r.Reason is null).ToList();
            var bad = resolutions.Where(r => r.Reason is not null).ToList();
            var (status, reason, message) = (good.Count, bad.Count) switch
            {
                ( > 0, 0) => (true, "Accepted", $"bound to {string.Join(", ", good.Select(g => g.Waypoint?.Id ?? g.Text).Distinct(StringComparer.Ordinal))}"),
                ( > 0, _) => (true, "PartiallyInvalid", $"Invalid targetRefs: {string.Join(", ", bad.Select(b => b.Text))}"),
                (0, 1) => (false, bad[0].Reason!, bad[0].Message!),
                _ => (false, "Invalid", $"Invalid targetRefs: {string.Join(", ", bad.Select(b => b.Text))}"),
            };
            statuses.Add(StatusEntry.Conditions(policy, StatusEntry.WaypointPolicyWriter, StatusEntry.Condition("WaypointAccepted", status, reason, message, StatusEntry.IstioGeneration(policy))));
        }
    }

    public static TargetResolution Resolve(TargetedPolicy policy, PolicyTarget target, ResourceSet resources, ServiceCatalog services, WaypointCatalog waypoints, MeshSettings settings)
    {
        var text = $"{target.Kind}.{(target.Group.Length == 0 ? "core" : target.Group)}:{policy.Namespace}/{target.Name}";
        switch (target.Kind)
        {
            case "Gateway":
                return waypoints.Find(policy.Namespace, target.Name) is { } waypoint
                    ? new TargetResolution(text, waypoint, null, null, null)
                    : new TargetResolution(text, null, null, "TargetNotFound", "not bound");
            case "GatewayClass":
                if (policy.Namespace != settings.RootNamespace)
                    return new TargetResolution(text, null, null, "Invalid", $"GatewayClass can only be targeted from the root namespace {settings.RootNamespace}");
                return resources.GatewayClasses.FirstOrDefault(c => c.Name == target.Name) is { } found
                    ? found.ControllerName is WellKnown.MeshController
                        ? new TargetResolution($"GatewayClass {target.Name}", null, null, null, null)
                        : new TargetResolution(text, null, null, "Invalid", $"GatewayClass {target.Name} is not a class of waypoints")
                    : settings.Standalone && target.Name is "istio-waypoint"
                        ? new TargetResolution($"GatewayClass {target.Name}", null, null, null, null)
                        : new TargetResolution(text, null, null, "TargetNotFound", $"GatewayClass {target.Name} was not found");
            default:
                var service = services.FindSource(target.Kind, policy.Namespace, target.Name);
                if (service is null)
                    return new TargetResolution(text, null, null, "TargetNotFound", $"{target.Kind} {policy.Namespace}/{target.Name} was not found");
                return service.Binding.Waypoint is { } bound
                    ? new TargetResolution(text, bound, service, null, null)
                    : new TargetResolution(text, null, service, "AncestorNotBound", $"{target.Kind} {policy.Namespace}/{target.Name} is not bound to a waypoint");
        }
    }
}
