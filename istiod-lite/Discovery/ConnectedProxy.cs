using Mesh.IstiodLite.Certificates;

namespace Mesh.IstiodLite.Discovery;

/// <summary>Who holds a stream: proven by its token, and the name that it gives itself.</summary>
/// <param name="NodeId">type~ip~pod.namespace~domain</param>
internal sealed record ConnectedProxy(Caller Caller, string NodeId)
{
    /// <summary>The proxy's own pod; null: it did not say.</summary>
    public (string Namespace, string Name)? Pod =>
        NodeId.Split('~') is [_, _, var instance, _] && instance.LastIndexOf('.') is > 0 and var dot && dot < instance.Length - 1 ? (instance[(dot + 1)..], instance[..dot]) : null;
}
