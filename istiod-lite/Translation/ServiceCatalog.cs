using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation;

/// <summary>All services after de-duplication, indexed by key and by the labels they select.</summary>
internal sealed class ServiceCatalog
{
    private readonly SortedDictionary<string, MeshService> _byKey = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<MeshService>> _byHostname = new(StringComparer.Ordinal);
    /// <summary>By namespace and the first pair of the selector, which a selected workload must carry: looks at few candidates per workload.</summary>
    private readonly Dictionary<(string Namespace, string Key, string Value), List<MeshService>> _bySelector = [];

    public ServiceCatalog(ResourceSet resources, ServiceTranslator translator, Func<Resource, bool> inRevision, Func<Service, string?> accountOf)
    {
        foreach (var service in resources.Services)
        {
            if (translator.FromService(service, accountOf(service)) is { } translated)
                _byKey.TryAdd(translated.Key, translated);
        }
        // ServiceEntries come oldest first; a Kubernetes Service of the same name in the namespace always wins.
        foreach (var entry in resources.ServiceEntries.Where(r => inRevision(r)))
        {
            foreach (var translated in translator.FromEntry(entry))
                _byKey.TryAdd(translated.Key, translated);
        }
        MarkCanonical();
        foreach (var service in _byKey.Values.Where(s => s.Selector is { Count: > 0 }))
        {
            var first = service.Selector!.MinBy(p => p.Key, StringComparer.Ordinal);
            var key = (service.Namespace, first.Key, first.Value);
            if (!_bySelector.TryGetValue(key, out var list))
                _bySelector[key] = list = [];
            list.Add(service);
        }
    }

    public IEnumerable<MeshService> All => _byKey.Values;

    public MeshService? Find(string ns, string hostname) => _byKey.GetValueOrDefault($"{ns}/{hostname}");

    public IReadOnlyList<MeshService> WithHostname(string hostname) => _byHostname.GetValueOrDefault(hostname) ?? [];

    /// <summary>Services of the namespace whose selector matches the labels.</summary>
    public IEnumerable<MeshService> Selecting(string ns, IReadOnlyDictionary<string, string> labels)
    {
        foreach (var (key, value) in labels)
        {
            if (!_bySelector.TryGetValue((ns, key, value), out var candidates))
                continue;
            foreach (var service in candidates)
            {
                if (service.Selects(labels))
                    yield return service;
            }
        }
    }

    private void MarkCanonical()
    {
        foreach (var service in _byKey.Values)
        {
            if (!_byHostname.TryGetValue(service.Hostname, out var list))
                _byHostname[service.Hostname] = list = [];
            list.Add(service);
        }
        foreach (var sameHost in _byHostname.Values)
        {
            if (sameHost.Any(s => s.IsKubernetes))
                continue;
            var oldest = sameHost
                .Where(s => s.Wds.Visibility is not Istio.Workload.Service.Types.Visibility.Namespace)
                .OrderBy(s => s.Source, Comparer<Resource>.Create(Resource.CompareByAge))
                .FirstOrDefault();
            if (oldest is null)
                continue;
            oldest.Canonical = true;
            oldest.Wds.Canonical = true;
        }
    }
}
