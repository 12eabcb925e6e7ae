using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Translation;

/// <summary>A label that is nearly one of the mesh's does nothing, silently: it is named, with the one that was probably meant.</summary>
internal static class LabelFindings
{
    private const int MostWrongLetters = 2;

    private static readonly Dictionary<string, string[]> _known = new(StringComparer.Ordinal)
    {
        ["istio.io/dataplane-mode"] = ["ambient", "none"],
        [WellKnown.UseWaypoint] = [],
        [WellKnown.UseWaypointNamespace] = [],
        [WellKnown.UseWaypointCanary] = [],
        [WellKnown.UseWaypointCanaryNamespace] = [],
        [WellKnown.UseWaypointCanaryWeight] = [],
        [WellKnown.IngressUseWaypoint] = ["true", "false"],
        [WellKnown.WaypointFor] = ["service", "workload", "all", "none"],
        [WellKnown.ForServiceAccount] = [],
        [WellKnown.Revision] = [],
        [WellKnown.Network] = [],
    };

    public static void Add(List<Problem> problems, ResourceSet resources)
    {
        // The pods of one Deployment are one mistake.
        var told = new HashSet<(string, string, string)>();
        IEnumerable<Resource> labelled = [.. resources.Namespaces, .. resources.Services, .. resources.ServiceEntries, .. resources.WorkloadEntries, .. resources.Gateways, .. resources.Pods];
        foreach (var resource in labelled)
        {
            foreach (var (key, value) in resource.Meta.Labels)
            {
                if (MayBeOurs(key) && Check(key, value) is var (reason, fix) && told.Add((resource.Kind is "Pod" ? resource.Namespace : resource.Describe(), key, value)))
                    problems.Add(Problem.Warning(resource, reason, fix));
            }
        }
    }

    /// <summary>Cheap: most labels of a cluster are none.</summary>
    private static bool MayBeOurs(string key) => key.Contains('/') && (key.Contains("istio", StringComparison.OrdinalIgnoreCase) || key.Contains("waypoint", StringComparison.Ordinal) || key.EndsWith("dataplane-mode", StringComparison.Ordinal));

    private static (string Reason, string Fix)? Check(string key, string value)
    {
        if (_known.TryGetValue(key, out var values))
        {
            return values.Length == 0 || values.Contains(value, StringComparer.Ordinal)
                ? null
                : ($"the label {key} has no effect with the value \"{value}\"", $"write one of {string.Join(", ", values)}");
        }
        var near = _known.Keys.Where(k => Spelling.Distance(k, key) <= MostWrongLetters || (k.Split('/')[1] == key.Split('/')[^1])).Order(StringComparer.Ordinal).FirstOrDefault();
        return near is null ? null : ($"the label {key} has no effect", $"write {near}, which is probably meant");
    }
}
