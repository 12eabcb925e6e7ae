using System.Collections.Immutable;

namespace Mesh.IstiodLite.Resources;

/// <summary>Everything that is in force at one moment, by kind, each list in order of precedence. Immutable; the next one shares what did not change.</summary>
internal sealed class ResourceSet
{
    private readonly ImmutableDictionary<ResourceKey, Resource> _byKey;
    private readonly Dictionary<Type, Array> _byType;

    private static readonly Comparer<Resource> _byAge = Comparer<Resource>.Create(Resource.CompareByAge);

    public static readonly ResourceSet Empty = new([]);

    /// <summary>Where two documents are the same object the first of <paramref name="resources"/> counts.</summary>
    public ResourceSet(IEnumerable<Resource> resources)
    {
        var byKey = ImmutableDictionary.CreateBuilder<ResourceKey, Resource>();
        foreach (var resource in resources)
            byKey.TryAdd(resource.Key, resource);
        _byKey = byKey.ToImmutable();
        _byType = _byKey.Values.GroupBy(r => r.GetType()).ToDictionary(g => g.Key, g => Sorted(g.Key, [.. g]));
    }

    private ResourceSet(ImmutableDictionary<ResourceKey, Resource> byKey, Dictionary<Type, Array> byType) => (_byKey, _byType) = (byKey, byType);

    public IReadOnlyList<Pod> Pods => Of<Pod>();
    public IReadOnlyList<Service> Services => Of<Service>();
    public IReadOnlyList<EndpointSlice> Slices => Of<EndpointSlice>();
    public IReadOnlyList<NamespaceResource> Namespaces => Of<NamespaceResource>();
    public IReadOnlyList<Node> Nodes => Of<Node>();
    public IReadOnlyList<WorkloadEntry> WorkloadEntries => Of<WorkloadEntry>();
    public IReadOnlyList<ServiceEntry> ServiceEntries => Of<ServiceEntry>();
    public IReadOnlyList<PeerAuthentication> PeerAuthentications => Of<PeerAuthentication>();
    public IReadOnlyList<AuthorizationPolicy> AuthorizationPolicies => Of<AuthorizationPolicy>();
    public IReadOnlyList<RequestAuthentication> RequestAuthentications => Of<RequestAuthentication>();
    public IReadOnlyList<RateLimitPolicy> RateLimitPolicies => Of<RateLimitPolicy>();
    public IReadOnlyList<TelemetryResource> Telemetries => Of<TelemetryResource>();
    public IReadOnlyList<ProxyConfigResource> ProxyConfigs => Of<ProxyConfigResource>();
    public IReadOnlyList<VirtualService> VirtualServices => Of<VirtualService>();
    public IReadOnlyList<DestinationRule> DestinationRules => Of<DestinationRule>();
    public IReadOnlyList<ConfigMap> ConfigMaps => Of<ConfigMap>();
    public IReadOnlyList<GatewayClass> GatewayClasses => Of<GatewayClass>();
    public IReadOnlyList<Gateway> Gateways => Of<Gateway>();
    public IReadOnlyList<HttpRouteResource> HttpRoutes => Of<HttpRouteResource>();
    public IReadOnlyList<BackendTlsPolicy> BackendTlsPolicies => Of<BackendTlsPolicy>();
    public IReadOnlyList<L4RouteResource> L4Routes => Of<L4RouteResource>();

    public int Count => _byKey.Count;
    public IEnumerable<Resource> All => _byKey.Values;

    public bool Has(ResourceKey key) => _byKey.ContainsKey(key);

    public T? Find<T>(string kind, string ns, string name)
        where T : Resource => _byKey.GetValueOrDefault(new ResourceKey(kind, ns, name)) as T;

    public Resource? Find(ResourceKey key) => _byKey.GetValueOrDefault(key);

    /// <summary>The set after some changes; lists of kinds that nothing changed in are the same objects.</summary>
    public ResourceSet With(IReadOnlyList<ResourceChange> changes)
    {
        if (changes.Count == 0)
            return this;
        var byKey = _byKey.ToBuilder();
        var byType = new Dictionary<Type, Array>(_byType);
        foreach (var change in changes)
        {
            if (change.After is { } after)
                byKey[change.Key] = after;
            else
                byKey.Remove(change.Key);
        }

        foreach (var kind in changes.GroupBy(c => (c.After ?? c.Before)!.GetType()))
            byType[kind.Key] = Merged(kind.Key, byType.GetValueOrDefault(kind.Key), [.. kind]);
        return new ResourceSet(byKey.ToImmutable(), byType);
    }

    private T[] Of<T>()
        where T : Resource => _byType.TryGetValue(typeof(T), out var list) ? (T[])list : [];

    private static Array Sorted(Type type, Resource[] resources)
    {
        Array.Sort(resources, Resource.CompareByAge);
        var typed = Array.CreateInstance(type, resources.Length);
        resources.CopyTo(typed, 0);
        return typed;
    }

    /// <summary>The list without what is gone and with what is new in its place. A few changes of a long list cost a search each and one copy.</summary>
    private static Array Merged(Type type, Array? before, List<ResourceChange> changes)
    {
        var old = (Resource[]?)before ?? [];
        var gone = new List<int>(changes.Count);
        var added = new List<(int At, Resource Resource)>(changes.Count);
        foreach (var change in changes)
        {
            if (change.Before is { } left)
                gone.Add(Array.BinarySearch(old, left, _byAge));
            if (change.After is not { } came)
                continue;
            var at = Array.BinarySearch(old, came, _byAge);
            added.Add((at < 0 ? ~at : at, came));
        }

        gone.Sort();
        added.Sort(static (a, b) => a.At != b.At ? a.At.CompareTo(b.At) : Resource.CompareByAge(a.Resource, b.Resource));
        var merged = Array.CreateInstance(type, old.Length - gone.Count + added.Count);
        var (from, to, nextGone, nextAdded) = (0, 0, 0, 0);
        while (true)
        {
            var stop = Math.Min(nextGone < gone.Count ? gone[nextGone] : old.Length, nextAdded < added.Count ? added[nextAdded].At : old.Length);
            Array.Copy(old, from, merged, to, stop - from);
            (from, to) = (stop, to + stop - from);
            if (nextAdded < added.Count && added[nextAdded].At == stop)
                merged.SetValue(added[nextAdded++].Resource, to++);
            else if (nextGone < gone.Count && gone[nextGone] == stop)
                (from, nextGone) = (from + 1, nextGone + 1);
            else
                return merged;
        }
    }
}
