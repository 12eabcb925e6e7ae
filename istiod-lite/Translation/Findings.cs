using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation;

/// <summary>What is valid but probably not what its writer meant: warnings that name the document and the fix.</summary>
internal static class Findings
{
    public static void Add(List<Problem> problems, ResourceSet resources, ServiceCatalog services, IReadOnlyList<MeshWorkload> workloads, PolicySet policies, EndpointAccounts accounts, WaypointCatalog waypoints)
    {
    }
}
