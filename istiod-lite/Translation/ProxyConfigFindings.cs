using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation;

/// <summary>What a ProxyConfig, or the annotation of a waypoint, says that no waypoint can follow.</summary>
internal static class ProxyConfigFindings
{
    public static void Add(List<Problem> problems, FindingInput input)
    {
        foreach (var gateway in input.Resources.Gateways.Where(g => IsWaypoint(g, input)))
        {
            if (ProxyConfigAnnotation.Read(gateway, (reason, fix) => problems.Add(Problem.Warning(gateway, reason, fix))) is { } run)
                AddReserved(problems, gateway, run.Environment, 0);
        }
        foreach (var config in input.Resources.ProxyConfigs)
        {
            if (config.ImageType is { Length: > 0 } type)
            {
                problems.Add(Problem.Warning(config, $"there is one image of waypoints, so the image type {type} has no effect",
                    "remove image; another image is written under deployment in the ConfigMap that the Gateway's spec.infrastructure.parametersRef names", config.ImageLine));
            }
            AddReserved(problems, config, config.Environment, config.EnvironmentLine);
            if (!input.Resources.Gateways.Any(g => Reaches(config, g, input)))
            {
                problems.Add(Problem.Warning(config, "no waypoint is in its reach, and nothing but waypoints is run as it says",
                    config.Selector is { Count: > 0 } ? "write labels of a waypoint's pods, for example gateway.networking.k8s.io/gateway-name" : "put it into the namespace of a waypoint, or ignore this if the waypoint is still to come"));
            }
        }
    }

    private static void AddReserved(List<Problem> problems, Resource resource, IReadOnlyDictionary<string, string> environment, int line)
    {
        if (environment.Keys.Where(ProxyConfigs.Reserved.Contains).Order(StringComparer.Ordinal).ToList() is { Count: > 0 } reserved)
        {
            problems.Add(Problem.Warning(resource, $"the control plane itself gives {string.Join(", ", reserved)} to a waypoint, so {(reserved.Count == 1 ? "this variable has" : "these variables have")} no effect",
                reserved is ["WORKER_THREADS"] ? "write concurrency" : "remove them", line));
        }
    }

    private static bool IsWaypoint(Gateway gateway, FindingInput input) => WaypointCatalog.IsManagedWaypoint(gateway, input.Resources.GatewayClasses.FirstOrDefault(c => c.Name == gateway.ClassName));

    private static bool Reaches(ProxyConfigResource config, Gateway gateway, FindingInput input)
    {
        if (!IsWaypoint(gateway, input))
            return false;
        if (config.Selector is not { Count: > 0 } selector)
            return config.Namespace == input.Settings.RootNamespace || config.Namespace == gateway.Namespace;
        return config.Namespace == gateway.Namespace && LabelSelector.Matches(selector, WaypointMetadata.PodLabels(gateway, WaypointMetadata.NetworkOf(input.Resources, input.Settings)));
    }
}
