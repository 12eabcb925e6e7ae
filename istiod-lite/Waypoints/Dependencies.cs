using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>What the translation of one service or workload for a waypoint looked at: it is stale when any of it changes.</summary>
internal sealed class Dependencies
{
    /// <summary>Host names, and "Kind namespace/name" of services that were looked for, whether they were there or not.</summary>
    public HashSet<string> Hosts { get; } = new(StringComparer.Ordinal);

    /// <summary>Names of the clusters that it sends to.</summary>
    public HashSet<string> Clusters { get; } = new(StringComparer.Ordinal);

    public List<Problem> Problems { get; } = [];

    public static string SourceName(string kind, string ns, string name) => $"{kind} {ns}/{name}";
}
