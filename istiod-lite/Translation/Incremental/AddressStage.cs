using System.Collections.Immutable;

namespace Mesh.IstiodLite.Translation.Incremental;

/// <summary>The addresses that node agents have.</summary>
internal sealed class AddressStage
{
    private HashSet<string> _gateways = new(StringComparer.Ordinal);

    public ImmutableDictionary<string, TranslatedAddress> Current { get; private set; } = ImmutableDictionary.Create<string, TranslatedAddress>(StringComparer.Ordinal);

    /// <summary>Returns the names of what was added, changed or removed.</summary>
    public IReadOnlyCollection<string> Update(
        IEnumerable<(MeshService? Before, MeshService? After)> services, IEnumerable<(MeshWorkload? Before, MeshWorkload? After)> workloads, IReadOnlyList<NetworkGateway> gateways)
    {
        var changed = new HashSet<string>(StringComparer.Ordinal);
        var builder = Current.ToBuilder();
        var wanted = gateways.Select(g => g.Workload.Uid).ToHashSet(StringComparer.Ordinal);
        foreach (var uid in _gateways.Where(g => !wanted.Contains(g)))
            Set(builder, changed, uid, null);
        foreach (var gateway in gateways.Reverse().DistinctBy(g => g.Workload.Uid, StringComparer.Ordinal))
            Set(builder, changed, gateway.Workload.Uid, TranslatedAddress.Of(gateway.Workload));
        _gateways = wanted;
        foreach (var (before, after) in workloads)
        {
            if (!ReferenceEquals(before?.Wds, after?.Wds))
                Set(builder, changed, (after ?? before)!.Wds.Uid, after is null ? null : TranslatedAddress.Of(after.Wds));
        }
        foreach (var (before, after) in services)
        {
            if (!ReferenceEquals(before?.Wds, after?.Wds))
                Set(builder, changed, (after ?? before)!.Key, after is null ? null : TranslatedAddress.Of(after.Key, after.Wds));
        }
        Current = builder.ToImmutable();
        return changed;
    }

    private static void Set(ImmutableDictionary<string, TranslatedAddress>.Builder builder, HashSet<string> changed, string name, TranslatedAddress? address)
    {
        if (address is null)
        {
            if (builder.Remove(name))
                changed.Add(name);
        }
        else if (!builder.TryGetValue(name, out var old) || !old.Address.Equals(address.Address))
        {
            builder[name] = address;
            changed.Add(name);
        }
    }
}
