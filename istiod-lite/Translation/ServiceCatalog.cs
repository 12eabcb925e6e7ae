using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation;

/// <summary>All services after de-duplication, indexed by key, host name, source and by the labels they select. Immutable.</summary>
internal sealed class ServiceCatalog
{
    private readonly SortedDictionary<string, MeshService> _byKey = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<MeshService>> _byHostname = new(StringComparer.Ordinal);
    private readonly Dictionary<ResourceKey, MeshService> _bySource = [];
    /// <summary>By namespace and the first pair of the selector, which a selected workload must carry: looks at few candidates per workload.</summary>
    private readonly Dictionary<(string Namespace, string Key, string Value), List<MeshService>> _bySelector = [];

    /// <param name="services">Of Services, then of ServiceEntries with the oldest first: what comes first has the key.</param>
    public ServiceCatalog(IEnumerable<MeshService> services)
    {
        foreach (var service in services)
            _byKey.TryAdd(service.Key, service);
        foreach (var sameHost in _byKey.Values.GroupBy(s => s.Hostname, StringComparer.Ordinal))
            _byHostname[sameHost.Key] = [.. sameHost];
        foreach (var sameHost in _byHostname.Values)
            MarkCanonical(sameHost);
        foreach (var service in _byKey.Values)
        {
            _bySource.TryAdd(service.Source.Key, service);
            if (service.Selector is not { Count: > 0 })
                continue;
            var first = service.Selector.MinBy(p => p.Key, StringComparer.Ordinal);
            var key = (service.Namespace, first.Key, first.Value);
            if (!_bySelector.TryGetValue(key, out var list))
                _bySelector[key] = list = [];
            list.Add(service);
        }
    }

    public static ServiceCatalog Of(ResourceSet resources, ServiceTranslator translator, Func<Resource, bool> inRevision, Func<Service, string?> accountOf) => new(
    [
        .. resources.Services.Select(s => translator.FromService(s, accountOf(s))).OfType<MeshService>(),
        .. resources.ServiceEntries.Where(e => inRevision(e)).SelectMany(translator.FromEntry),
    ]);

    public int Count => _byKey.Count;

    public IEnumerable<MeshService> All => _byKey.Values;

    public MeshService? Find(string ns, string hostname) => FindKey($"{ns}/{hostname}");

    public MeshService? FindKey(string key) => _byKey.GetValueOrDefault(key);

    /// <summary>The service of a Service; of a ServiceEntry the first of its hosts.</summary>
    public MeshService? FindSource(string kind, string ns, string name) => _bySource.GetValueOrDefault(new ResourceKey(kind, ns, name));

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

    /// <summary>Keys under which there is another service than in <paramref name="previous"/>, or none any more.</summary>
    public List<(MeshService? Before, MeshService? After)> ChangesSince(ServiceCatalog previous)
    {
        var changes = new List<(MeshService?, MeshService?)>();
        foreach (var (key, service) in _byKey)
        {
            var before = previous.FindKey(key);
            if (!ReferenceEquals(before, service))
                changes.Add((before, service));
        }
        foreach (var (key, service) in previous._byKey)
        {
            if (!_byKey.ContainsKey(key))
                changes.Add((service, null));
        }
        return changes;
    }

    private void MarkCanonical(List<MeshService> sameHost)
    {
        if (sameHost.Exists(s => s.IsKubernetes))
            return;
        var oldest = sameHost
            .Where(s => s.Wds.Visibility is not Istio.Workload.Service.Types.Visibility.Namespace)
            .OrderBy(s => s.Source, Comparer<Resource>.Create(Resource.CompareByAge))
            .FirstOrDefault();
        if (oldest is null)
            return;
        var canonical = oldest.AsCanonical();
        _byKey[oldest.Key] = canonical;
        sameHost[sameHost.IndexOf(oldest)] = canonical;
    }
}
