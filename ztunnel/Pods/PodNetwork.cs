using Mesh.Net;

namespace Mesh.Ztunnel.Pods;

/// <summary>A pod's network namespace, held open as long as its proxy lives: the descriptor is what keeps it reachable.</summary>
/// <param name="Id">Device and inode: two descriptors of the same namespace are equal in it, a namespace that was made anew is not.</param>
/// <param name="Namespace">Null only where a test needs no sockets.</param>
internal sealed record PodNetwork((ulong Device, ulong Inode) Id, NetworkNamespace? Namespace) : IDisposable
{
    /// <summary>An agent before this one may have written rules into it, and may have been killed over it.</summary>
    public bool MayHoldRules { get; init; }

    public static PodNetwork Of(NetworkNamespace ns) => new(ns.Id, ns);

    public void Dispose() => Namespace?.Dispose();
}
