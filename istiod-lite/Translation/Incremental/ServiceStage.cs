using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation.Incremental;

/// <summary>Services as they were translated last; only those whose document, address or account changed are translated again.</summary>
internal sealed class ServiceStage
{
    private readonly Dictionary<ResourceKey, IReadOnlyList<MeshService>> _byDocument = [];

    public ServiceCatalog Catalog { get; private set; } = new([]);

    /// <summary>Returns what is different in the catalog.</summary>
    /// <param name="resources">All documents.</param>
    /// <param name="settings">Of the mesh.</param>
    /// <param name="translator">Made for the current settings, bindings and addresses.</param>
    /// <param name="accounts">Under which accounts endpoints run.</param>
    /// <param name="stale">Services and ServiceEntries to look at again, also those that are gone; null: all.</param>
    public List<(MeshService? Before, MeshService? After)> Update(
        ResourceSet resources, MeshSettings settings, ServiceTranslator translator, EndpointAccounts accounts, IReadOnlyCollection<ResourceKey>? stale)
    {
        if (stale is { Count: 0 })
            return [];
        var documents = resources.Services.Cast<Resource>().Concat(resources.ServiceEntries).ToDictionary(r => r.Key);
        foreach (var key in stale ?? [.. documents.Keys.Union(_byDocument.Keys)])
        {
            IReadOnlyList<MeshService> renewed = documents.GetValueOrDefault(key) switch
            {
                Service service => translator.FromService(service, accounts.OfService(service)) is { } translated ? [translated] : [],
                ServiceEntry entry when MeshTranslator.InRevision(entry, settings) => [.. translator.FromEntry(entry)],
                _ => [],
            };
            var before = _byDocument.GetValueOrDefault(key) ?? [];
            _byDocument.Remove(key);
            if (renewed.Count > 0)
                _byDocument[key] = [.. renewed.Select(s => Reuse(before, s))];
        }
        var previous = Catalog;
        Catalog = new ServiceCatalog(resources.Services.Cast<Resource>().Concat(resources.ServiceEntries).SelectMany(r => _byDocument.GetValueOrDefault(r.Key) ?? []));
        return Catalog.ChangesSince(previous);
    }

    /// <summary>What did not change stays the same object, so that nobody behind it is translated again.</summary>
    private static MeshService Reuse(IReadOnlyList<MeshService> before, MeshService renewed)
    {
        var same = before.FirstOrDefault(s => s.Hostname == renewed.Hostname);
        if (same is null || !same.MeansTheSameAs(renewed))
            return renewed;
        return ReferenceEquals(same.Source, renewed.Source) ? same : renewed.From(renewed.Source, same.Wds);
    }
}
