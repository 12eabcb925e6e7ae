namespace Mesh.Ztunnel.Local;

/// <summary>Who a pod is, as the node's pod source names it. The trust domain is not in here: the control plane knows it.</summary>
internal sealed record PodInfo(string Name, string Namespace, string ServiceAccount)
{
    public override string ToString() => $"{Namespace}/{Name}";
}
