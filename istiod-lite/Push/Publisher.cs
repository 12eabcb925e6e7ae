using Google.Protobuf;
using Mesh.IstiodLite.Translation;
using Mesh.Xds;
using Mesh.Xds.Server;

namespace Mesh.IstiodLite.Push;

/// <summary>The tables of one waypoint, in the order in which their changes are sent: what others name comes first.</summary>
internal sealed class WaypointTables
{
    public XdsResourceTable Policies { get; } = new(XdsTypeUrls.WaypointRequestPolicy);
    public XdsResourceTable Clusters { get; } = new(XdsTypeUrls.WaypointCluster);
    public XdsResourceTable Services { get; } = new(XdsTypeUrls.WaypointService);
}

/// <summary>Brings translations into the tables from which streams are served. What did not change is not encoded, and not sent, again.</summary>
internal sealed class Publisher
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, WaypointTables> _waypoints = new(StringComparer.Ordinal);

    // one publication at a time
    private bool _isComplete;

    /// <summary>For agents that are to know only what their node needs.</summary>
    public NodeAudiences Audiences { get; } = new();

    /// <summary>Before Addresses: a workload must not name a policy that its ztunnel has not heard of yet.</summary>
    public XdsResourceTable Authorizations { get; } = new(XdsTypeUrls.Authorization);
    public XdsResourceTable Addresses { get; } = new(XdsTypeUrls.Address);

    /// <summary>Every table with whose it is, for status pages.</summary>
    public IReadOnlyList<(string Owner, XdsResourceTable Table)> Tables()
    {
        lock (_gate)
        {
            return
            [
                ("node agents", Authorizations), ("node agents", Addresses),
                .. _waypoints.SelectMany(w => new[] { (w.Key, w.Value.Policies), (w.Key, w.Value.Clusters), (w.Key, w.Value.Services) }),
            ];
        }
    }

    /// <summary>Made when somebody first asks, also before the Gateway is declared: the stream then waits for it.</summary>
    public WaypointTables For(string waypoint)
    {
        lock (_gate)
        {
            if (!_waypoints.TryGetValue(waypoint, out var tables))
                _waypoints[waypoint] = tables = new WaypointTables();
            return tables;
        }
    }

    /// <summary>Brings what is different into the tables; everything at the first time, or after a publication that failed. Returns how many names changed.</summary>
    /// <param name="translated">Everything that is to be in the tables, with what is different from the translation before.</param>
    /// <param name="since">When the change was noticed, as a timestamp.</param>
    public int Publish(Translated translated, long since)
    {
        var changes = _isComplete ? translated.Changes : null;
        _isComplete = false;
        var left = new List<(string Node, string Namespace)>();
        foreach (var name in changes?.Addresses ?? translated.Addresses.Keys.Union(Audiences.Placed, StringComparer.Ordinal).ToList())
        {
            var workload = translated.Addresses.GetValueOrDefault(name)?.Address.Workload;
            if (Audiences.Place(name, workload?.Node, workload?.Namespace ?? string.Empty) is { } place)
                left.Add(place);
        }

        var count = Publish(Authorizations, translated.Authorizations.Keys, changes?.Authorizations, name => Encode(Authorizations, name, translated.Authorizations.GetValueOrDefault(name))?.For(AudienceOf(translated, name)), since);
        count += Publish(Addresses, translated.Addresses.Keys, changes?.Addresses, name => Encode(Addresses, name, translated.Addresses.GetValueOrDefault(name)), since);
        left.ForEach(Audiences.Leave);
        List<string> waypoints;
        lock (_gate)
            waypoints = [.. changes?.Waypoints.Keys ?? _waypoints.Keys.Union(translated.Waypoints.Keys, StringComparer.Ordinal)];
        foreach (var id in waypoints)
        {
            var tables = For(id);
            var configuration = translated.Waypoints.GetValueOrDefault(id);
            var changed = changes?.Waypoints[id];
            count += Publish(tables.Policies, configuration?.Policies, changed?.Policies, since);
            count += Publish(tables.Clusters, configuration?.Clusters, changed?.Clusters, since);
            count += Publish(tables.Services, configuration?.Services, changed?.Services, since);
        }

        _isComplete = true;
        return count;
    }

    private static int Publish(XdsResourceTable table, IReadOnlyDictionary<string, IMessage>? bodies, IReadOnlyCollection<string>? changed, long since) =>
        Publish(table, bodies?.Keys ?? [], changed, name => Encode(table, name, bodies?.GetValueOrDefault(name)), since);

    /// <param name="table">To bring up to date.</param>
    /// <param name="all">Every name that is to be in it.</param>
    /// <param name="changed">Names that were added, changed or removed; null: all are looked at.</param>
    /// <param name="encode">The resource of a name; null: there is none any more.</param>
    /// <param name="since">When the change was noticed.</param>
    private static int Publish(XdsResourceTable table, IEnumerable<string> all, IReadOnlyCollection<string>? changed, Func<string, XdsResource?> encode, long since)
    {
        if (changed is null)
            return table.Replace([.. all.Select(encode).OfType<XdsResource>()], since);
        if (changed.Count == 0)
            return 0;
        var upserts = new List<XdsResource>(changed.Count);
        var removals = new List<string>();
        foreach (var name in changed)
        {
            if (encode(name) is { } resource)
                upserts.Add(resource);
            else
                removals.Add(name);
        }

        return table.Publish(upserts, removals, since);
    }

    private static XdsResource? Encode(XdsResourceTable table, string name, IMessage? body) => body is null ? null : XdsResource.Create(name, table.TypeUrl, body);

    private static XdsResource? Encode(XdsResourceTable table, string name, TranslatedAddress? address)
    {
        if (address is null)
            return null;
        var workload = address.Address.Workload;
        var own = address.Address.Service is { Visibility: Istio.Workload.Service.Types.Visibility.Namespace } service ? service.Namespace : null;
        return XdsResource.Create(name, table.TypeUrl, address.Address)
            .With(address.Aliases, workload is null ? [] : [.. workload.Services.Keys], workload?.Node is { Length: > 0 } node ? node : null)
            .For(own);
    }

    /// <summary>A policy is enforced where its workloads are: in its namespace, or anywhere if it is the mesh's.</summary>
    private static string? AudienceOf(Translated translated, string policy) =>
        translated.Authorizations.GetValueOrDefault(policy) is { } authorization && authorization.Scope is not Istio.Security.Scope.Global && authorization.Namespace != translated.Settings.RootNamespace
            ? authorization.Namespace
            : null;
}
