using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Waypoints;

internal sealed record WaypointInput(ResourceSet Resources, MeshSettings Settings, string Network, ServiceCatalog Services, IReadOnlyList<MeshWorkload> Workloads, WaypointCatalog Waypoints, PolicySet Policies);

internal static class WaypointTranslator
{
    public static IReadOnlyDictionary<string, WaypointConfiguration> Translate(WaypointInput input, List<Problem> problems) =>
        new Dictionary<string, WaypointConfiguration>(StringComparer.Ordinal);
}
