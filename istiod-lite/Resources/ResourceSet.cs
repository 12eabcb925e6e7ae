namespace Mesh.IstiodLite.Resources;

/// <summary>Everything that is in force at one moment, by kind, each list in order of precedence. Immutable.</summary>
internal sealed class ResourceSet
{
    private readonly Dictionary<ResourceKey, Resource> _byKey = [];
    private readonly Dictionary<Type, Array> _byType = [];

    public static readonly ResourceSet Empty = new([]);

    /// <summary>Where two documents are the same object the first of <paramref name="resources"/> counts.</summary>
    public ResourceSet(IEnumerable<Resource> resources)
    {
        foreach (var resource in resources)
            _byKey.TryAdd(resource.Key, resource);
        Pods = Of<Pod>();
        Services = Of<Service>();
        Slices = Of<EndpointSlice>();
        Namespaces = Of<NamespaceResource>();
        Nodes = Of<Node>();
        WorkloadEntries = Of<WorkloadEntry>();
        ServiceEntries = Of<ServiceEntry>();
        PeerAuthentications = Of<PeerAuthentication>();
        AuthorizationPolicies = Of<AuthorizationPolicy>();
        RequestAuthentications = Of<RequestAuthentication>();
        VirtualServices = Of<VirtualService>();
        DestinationRules = Of<DestinationRule>();
        GatewayClasses = Of<GatewayClass>();
        Gateways = Of<Gateway>();
        HttpRoutes = Of<HttpRouteResource>();
    }

    public IReadOnlyList<Pod> Pods { get; }
    public IReadOnlyList<Service> Services { get; }
    public IReadOnlyList<EndpointSlice> Slices { get; }
    public IReadOnlyList<NamespaceResource> Namespaces { get; }
    public IReadOnlyList<Node> Nodes { get; }
    public IReadOnlyList<WorkloadEntry> WorkloadEntries { get; }
    public IReadOnlyList<ServiceEntry> ServiceEntries { get; }
    public IReadOnlyList<PeerAuthentication> PeerAuthentications { get; }
    public IReadOnlyList<AuthorizationPolicy> AuthorizationPolicies { get; }
    public IReadOnlyList<RequestAuthentication> RequestAuthentications { get; }
    public IReadOnlyList<VirtualService> VirtualServices { get; }
    public IReadOnlyList<DestinationRule> DestinationRules { get; }
    public IReadOnlyList<GatewayClass> GatewayClasses { get; }
    public IReadOnlyList<Gateway> Gateways { get; }
    public IReadOnlyList<HttpRouteResource> HttpRoutes { get; }

    public int Count => _byKey.Count;
    public IEnumerable<Resource> All => _byKey.Values;

    public T? Find<T>(string kind, string ns, string name)
        where T : Resource => _byKey.GetValueOrDefault(new ResourceKey(kind, ns, name)) as T;

    private T[] Of<T>()
        where T : Resource
    {
        if (_byType.TryGetValue(typeof(T), out var cached))
            return (T[])cached;
        var list = _byKey.Values.OfType<T>().ToArray();
        Array.Sort(list, Resource.CompareByAge);
        _byType[typeof(T)] = list;
        return list;
    }
}
