using System.Net;
using Mesh.Model.Collections;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.NodeAgent;

/// <summary>A pod of this node that takes part in the mesh.</summary>
/// <param name="Uid">As Kubernetes gives it; the pod's control group carries it in its name.</param>
/// <param name="Addresses">What its namespace must own; empty: not known yet, and not checked then.</param>
/// <param name="NamespacePath">Where its network namespace can be opened, if somebody knows; null: it is searched for.</param>
internal sealed record NodePod(string Uid, PodInfo Info, ValueList<IPAddress> Addresses, string? NamespacePath = null);

/// <summary>The pods of this node that take part, as they change.</summary>
internal interface INodePods
{
    /// <summary>The whole set each time, the first one as soon as it is known completely. Ends with <paramref name="stop"/> only; what is passing is retried inside.</summary>
    IAsyncEnumerable<IReadOnlyList<NodePod>> WatchAsync(CancellationToken stop);

    /// <summary>A pod's network namespace has been looked for in vain for so long that a person should know. Once for each pod; it is looked for further.</summary>
    void NotFound(NodePod pod, string reason)
    {
    }
}
