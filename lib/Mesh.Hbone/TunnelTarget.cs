using System.Net;
using Mesh.Model;

namespace Mesh.Hbone;

/// <summary>Where a tunnel goes and between whom: also the key of the pool, because a tunnel is never shared across any of these.</summary>
/// <param name="Source">Whose certificate is shown.</param>
/// <param name="Accepted">Identities of which the peer must prove one; empty accepts nobody.</param>
/// <param name="Address">The peer's HBONE address.</param>
/// <param name="ClientAddress">The captured client's address: two pods of one service account do not share.</param>
public sealed record TunnelTarget(SpiffeId Source, IReadOnlyList<SpiffeId> Accepted, IPEndPoint Address, IPAddress? ClientAddress)
{
    public bool Equals(TunnelTarget? other) =>
        other is not null && Source == other.Source && Address.Equals(other.Address) && Equals(ClientAddress, other.ClientAddress) && Accepted.SequenceEqual(other.Accepted);

    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.Add(Source);
        hash.Add(Address);
        hash.Add(ClientAddress);
        foreach (var id in Accepted)
            hash.Add(id);
        return hash.ToHashCode();
    }
}
