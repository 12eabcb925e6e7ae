using System.Net.Sockets;
using Mesh.Model.Collections;
using Mesh.Model.Workloads;

namespace Mesh.Model;

/// <summary>Services by block of addresses. One exact lookup per prefix length in use, longest first: few meshes use more than two or three.</summary>
internal sealed class CidrIndex
{
    private readonly PersistentMap<NetworkPrefix, Service[]> _blocks;

    // How many blocks exist per network, family and length; an entry only while above 0. Longest first within a network.
    private readonly PersistentMap<string, LengthInUse[]> _lengths;

    private CidrIndex(PersistentMap<NetworkPrefix, Service[]> blocks, PersistentMap<string, LengthInUse[]> lengths)
    {
        _blocks = blocks;
        _lengths = lengths;
    }

    public static CidrIndex Empty { get; } = new(PersistentMap<NetworkPrefix, Service[]>.Empty, PersistentMap<string, LengthInUse[]>.Empty);

    public CidrIndex Add(Service service)
    {
        var index = this;
        foreach (var block in service.CidrVips)
            index = index.Add(block, service);
        return index;
    }

    public CidrIndex Remove(Service service)
    {
        var index = this;
        foreach (var block in service.CidrVips)
            index = index.Remove(block, service.Key);
        return index;
    }

    /// <summary>The client's own namespace counts more than a longer prefix, that more than canonical; among equals the last one.</summary>
    public Service? Find(NetworkAddress address, string? clientNamespace)
    {
        if (!_lengths.TryGetValue(address.Network, out var lengths))
            return null;

        Service? best = null;
        var bestRank = (Own: false, Canonical: false);
        var isV6 = address.Address.AddressFamily == AddressFamily.InterNetworkV6 && !address.Address.IsIPv4MappedToIPv6;
        foreach (var inUse in lengths)
        {
            if (inUse.IsV6 != isV6 || !_blocks.TryGetValue(new(address.Network, IpPrefix.Around(address.Address, inUse.Length)), out var services))
                continue;

            // Within one length canonical decides; a shorter length only wins by being the client's own namespace.
            Service? found = null;
            var foundRank = (Own: false, Canonical: false);
            foreach (var service in services)
            {
                if (!service.IsVisibleTo(clientNamespace))
                    continue;
                var rank = (Own: clientNamespace is not null && service.Namespace == clientNamespace, service.Canonical);
                if (found is null || rank.CompareTo(foundRank) >= 0)
                    (found, foundRank) = (service, rank);
            }

            if (found is not null && (best is null || (foundRank.Own && !bestRank.Own)))
                (best, bestRank) = (found, foundRank);
            if (bestRank.Own)
                break;
        }

        return best;
    }

    private CidrIndex Add(NetworkPrefix block, Service service)
    {
        var present = _blocks.GetValueOrDefault(block) ?? [];
        return new(_blocks.Set(block, [.. present, service]), present.Length == 0 ? Count(block, +1) : _lengths);
    }

    private CidrIndex Remove(NetworkPrefix block, NamespacedHostname key)
    {
        if (!_blocks.TryGetValue(block, out var present))
            return this;
        Service[] rest = [.. present.Where(s => s.Key != key)];
        return rest.Length > 0 ? new(_blocks.Set(block, rest), _lengths) : new(_blocks.Remove(block), Count(block, -1));
    }

    private PersistentMap<string, LengthInUse[]> Count(NetworkPrefix block, int change)
    {
        var isV6 = block.Prefix.Family == AddressFamily.InterNetworkV6;
        var lengths = (_lengths.GetValueOrDefault(block.Network) ?? []).ToList();
        var at = lengths.FindIndex(l => l.IsV6 == isV6 && l.Length == block.Prefix.Length);
        var count = (at >= 0 ? lengths[at].Blocks : 0) + change;
        if (at >= 0)
            lengths.RemoveAt(at);
        if (count > 0)
            lengths.Add(new(isV6, block.Prefix.Length, count));
        return lengths.Count == 0
            ? _lengths.Remove(block.Network)
            : _lengths.Set(block.Network, [.. lengths.OrderByDescending(l => l.Length)]);
    }

    private readonly record struct LengthInUse(bool IsV6, int Length, int Blocks);
}
