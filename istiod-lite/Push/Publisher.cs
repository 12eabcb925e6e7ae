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

/// <summary>Brings translations into the tables from which streams are served. A resource that did not change is not encoded, and not sent, again.</summary>
internal sealed class Publisher
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, WaypointTables> _waypoints = new(StringComparer.Ordinal);

    // the publishing task only
    private readonly Dictionary<(XdsResourceTable, string), (IMessage Body, XdsResource Encoded)> _encoded = [];

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

    /// <summary>Returns how many names changed.</summary>
    /// <param name="translated">Everything that is to be in the tables.</param>
    /// <param name="since">When the change was noticed, as a timestamp.</param>
    public int Publish(Translated translated, long since)
    {
        var live = new HashSet<(XdsResourceTable, string)>();
        var changed = Replace(Authorizations, live, translated.Authorizations.Select(a => (a.Key, (IMessage)a.Value)), null, since);
        changed += Replace(Addresses, live, translated.Addresses.Select(a => (a.Key, (IMessage)a.Value.Address)), translated, since);
        List<string> known;
        lock (_gate)
            known = [.. _waypoints.Keys];
        foreach (var id in known.Union(translated.Waypoints.Keys, StringComparer.Ordinal).ToList())
        {
            var tables = For(id);
            var configuration = translated.Waypoints.GetValueOrDefault(id);
            changed += Replace(tables.Policies, live, Pairs(configuration?.Policies), null, since);
            changed += Replace(tables.Clusters, live, Pairs(configuration?.Clusters), null, since);
            changed += Replace(tables.Services, live, Pairs(configuration?.Services), null, since);
        }
        foreach (var gone in _encoded.Keys.Where(k => !live.Contains(k)).ToList())
            _encoded.Remove(gone);
        return changed;
    }

    private static IEnumerable<(string, IMessage)> Pairs(IReadOnlyDictionary<string, IMessage>? messages) => (messages ?? new Dictionary<string, IMessage>(StringComparer.Ordinal)).Select(m => (m.Key, m.Value));

    private int Replace(XdsResourceTable table, HashSet<(XdsResourceTable, string)> live, IEnumerable<(string Name, IMessage Body)> resources, Translated? addresses, long since)
    {
        var list = new List<XdsResource>();
        foreach (var (name, body) in resources)
        {
            live.Add((table, name));
            if (!_encoded.TryGetValue((table, name), out var known) || !(ReferenceEquals(known.Body, body) || known.Body.Equals(body)))
                _encoded[(table, name)] = known = (body, Encode(table, name, body, addresses?.Addresses[name]));
            list.Add(known.Encoded);
        }
        return table.Replace(list, since);
    }

    private static XdsResource Encode(XdsResourceTable table, string name, IMessage body, TranslatedAddress? address)
    {
        var resource = XdsResource.Create(name, table.TypeUrl, body);
        if (address is null)
            return resource;
        var workload = address.Address.Workload;
        return resource.With(address.Aliases, workload is null ? [] : [.. workload.Services.Keys], workload?.Node is { Length: > 0 } node ? node : null);
    }
}
