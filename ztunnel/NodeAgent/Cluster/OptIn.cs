namespace Mesh.Ztunnel.NodeAgent.Cluster;

/// <summary>Who asks to be in the mesh: the pod's label decides, then its namespace's (istio-cni's default selectors). The CNI plugin is built with this file, too.</summary>
internal static class OptIn
{
    public const string Label = "istio.io/dataplane-mode";

    private const string Ambient = "ambient";

    // Only the exact "none" opts out; any other word leaves it to the namespace.
    private const string None = "none";

    public static bool IsAsked(string? podLabel, string? namespaceLabel) => podLabel == Ambient || (podLabel != None && namespaceLabel == Ambient);
}
