using Mesh.Kubernetes.Requests;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.NodeAgent.Cluster;

/// <summary>What stands beside the pods of a mesh and would go wrong in silence: annotations that nobody reads, other agents, another clock. Pure.</summary>
internal static class NodeSurroundings
{
    private const string Prefix = "ambient.istio.io/";

    private static readonly string[] Known = [PodCapture.DnsAnnotation, PodCapture.BypassAnnotation, RedirectionMarks.Annotation];

    /// <returns>Null: every annotation of ours is understood.</returns>
    public static string? UnknownValue(PodObject pod)
    {
        foreach (var (name, value) in pod.Metadata.Annotations ?? new Dictionary<string, string>())
        {
            if (name is PodCapture.DnsAnnotation or PodCapture.BypassAnnotation && value is not ("true" or "false"))
                return $"the annotation {name} has no effect with the value \"{value}\": write \"true\" or \"false\" and recreate the pod";
            if (name.StartsWith(Prefix, StringComparison.Ordinal) && !Known.Contains(name, StringComparer.Ordinal))
                return $"the annotation {name} has no effect, it is none of {string.Join(", ", Known[..2])}: correct its name and recreate the pod";
        }
        return null;
    }

    /// <returns>Null: this pod of the node is no agent that captures the same pods as we do.</returns>
    public static string? SecondMesh(PodObject pod, string home)
    {
        if (pod.Status.Phase is "Succeeded" or "Failed")
            return null;
        if (pod.Label("k8s-app") == "istio-cni-node")
            return $"istio-cni ({pod.Key}) and this agent both write capture rules on this node: remove istio-cni, or install with ztunnel.nodeAgent=false";
        return pod.Label("app") == "ztunnel" && pod.Key.Namespace != home
            ? $"another mesh's agent ({pod.Key}) runs on this node and listens in the same pods: remove one of the two meshes, or keep them on different nodes with ztunnel.nodeSelector"
            : null;
    }

    /// <returns>Null: near enough.</returns>
    public static string? ClockSkew(TimeSpan ahead, string node) => ClockDifference.Describe(ahead) is { } difference
        ? $"the clock of node {node} is {difference}: beyond 2 min its certificates are refused by others, or those of others here; set the clock (chrony, systemd-timesyncd)"
        : null;
}
