namespace Mesh.IstiodLite.Waypoints;

/// <summary>Hosts as VirtualServices and DestinationRules write them.</summary>
internal static class HostNames
{
    /// <summary>A name without a dot means a Service of the document's own namespace.</summary>
    public static string Resolve(string host, string documentNamespace, string clusterDomain) =>
        host.Contains('.', StringComparison.Ordinal) || host is "*" ? host : $"{host}.{documentNamespace}.svc.{clusterDomain}";

    /// <summary>Exact, or a wildcard of leftmost labels: "*.example.com" matches "a.b.example.com", not "example.com".</summary>
    public static bool Matches(string pattern, string hostname) =>
        pattern.StartsWith('*') ? hostname.Length > pattern.Length - 1 && hostname.EndsWith(pattern[1..], StringComparison.Ordinal) : pattern == hostname;

    /// <summary>More specific is larger: exact over wildcard, longer wildcard over shorter.</summary>
    public static int Specificity(string pattern) => pattern.StartsWith('*') ? pattern.Length : 10_000 + pattern.Length;
}
