using System.Collections.Immutable;
using Google.Protobuf;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Waypoints;
using Wds = Istio.Workload;

namespace Mesh.IstiodLite.Translation.Incremental;

/// <summary>One waypoint: what it has, and what each part of that was made from.</summary>
/// <remarks>
/// (1) clusters that cannot be trusted any more are taken out  (2) services whose routes, rules or destinations changed  (3) workloads that changed
/// (4) policies, which may ask for clusters, too  (5) clusters that are still needed are made again.
/// </remarks>
internal sealed class WaypointState(WaypointInfo waypoint, WaypointConfiguration? previous)
{
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<string>> _clustersOf = new(StringComparer.Ordinal);
    private RequestPolicies? _policies;
    private Dependencies _policyUses = new();
    private Wds.Locality? _locality;

    /// <param name="Source">The MeshService or MeshWorkload.</param>
    /// <param name="Message">Without policies.</param>
    /// <param name="Uses">What was looked at.</param>
    private sealed record Entry(object Source, Mesh.Waypoint.V1.Service Message, Dependencies Uses);

    public WaypointConfiguration Configuration { get; private set; } = previous
        ?? new WaypointConfiguration(waypoint.Id, ImmutableDictionary<string, IMessage>.Empty, ImmutableDictionary<string, IMessage>.Empty, ImmutableDictionary<string, IMessage>.Empty);

    public IEnumerable<Problem> Problems => _entries.Values.SelectMany(e => e.Uses.Problems).Concat(_policyUses.Problems);

    /// <summary>Returns the names that changed; null: none.</summary>
    public WaypointChanges? Update(WaypointInput input, WorkloadStage workloads, DestinationRules rules, WaypointDelta delta)
    {
        var locality = delta.Everything || delta.Gateways.Contains((waypoint.Namespace, waypoint.Name)) ? workloads.Endpoints.LocalityOf(waypoint) : _locality;
        var all = delta.Everything || !Equals(locality, _locality);
        _locality = locality;

        // (1)
        var stale = all ? null : StaleClusters(delta);
        var clusters = new ClusterTranslator(input, workloads.Endpoints, rules, waypoint, locality, Clusters(Configuration), stale);
        var context = new RouteContext(input, waypoint, clusters);
        var telemetry = new Telemetries(input, waypoint, context);
        var touched = new HashSet<string>(StringComparer.Ordinal);

        // (2)
        if (all || delta.ConcernsServices)
            UpdateServices(input, context, telemetry, delta, all, touched);

        // (3)
        if (all)
            UpdateWorkloads(workloads.ByDocument.Values.SelectMany(w => w).Select(w => ((MeshWorkload?)null, (MeshWorkload?)w)), clusters, telemetry, touched);
        else
            UpdateWorkloads(delta.Workloads, clusters, telemetry, touched);

        // (4)
        var policiesChanged = _policies is null || delta.ConcernsPolicies || delta.Touches(_policyUses);
        if (policiesChanged)
        {
            clusters.Uses = _policyUses = new Dependencies();
            _policies = new RequestPolicies(input, waypoint, context);
        }

        // (5)
        if (touched.Count > 0 || policiesChanged)
            KeepNeeded(input, clusters);
        else
            Remake(stale ?? [], input, clusters);
        return touched.Count == 0 && stale is { Count: 0 } && !policiesChanged ? null : Conclude(clusters, policiesChanged ? null : touched);
    }

    private HashSet<string> StaleClusters(WaypointDelta delta)
    {
        var stale = new HashSet<string>(StringComparer.Ordinal);
        foreach (var key in delta.EndpointsOf.Concat(delta.Uids))
        {
            if (_clustersOf.TryGetValue(key, out var names))
                stale.UnionWith(names);
        }
        if (!delta.ConcernsServices)
            return stale;
        foreach (var (key, names) in _clustersOf)
        {
            if (delta.TouchesHost(key[(key.IndexOf('/', StringComparison.Ordinal) + 1)..]))
                stale.UnionWith(names);
        }
        return stale;
    }

    private void UpdateServices(WaypointInput input, RouteContext context, Telemetries telemetry, WaypointDelta delta, bool all, HashSet<string> touched)
    {
        var bound = new HashSet<string>(StringComparer.Ordinal);
        foreach (var service in input.Services.All.Where(s => WaypointTranslator.IsBehind(s, waypoint)))
        {
            bound.Add(service.Key);
            var known = _entries.GetValueOrDefault(service.Key);
            if (!all && known is not null && ReferenceEquals(known.Source, service) && !delta.Touches(known.Uses) && !delta.TouchesRoutesOf(service, waypoint))
                continue;
            var uses = context.Clusters.Uses = new Dependencies();
            var translated = WaypointTranslator.TranslateService(service, context);
            translated.Telemetry = telemetry.For(service);
            Put(service.Key, service, translated, uses, touched);
        }
        foreach (var key in _entries.Where(e => e.Value.Source is MeshService && !bound.Contains(e.Key)).Select(e => e.Key).ToList())
        {
            _entries.Remove(key);
            touched.Add(key);
        }
    }

    private void UpdateWorkloads(IEnumerable<(MeshWorkload? Before, MeshWorkload? After)> workloads, ClusterTranslator clusters, Telemetries telemetry, HashSet<string> touched)
    {
        foreach (var (before, after) in workloads)
        {
            if (after is not null && after.Binding.Waypoint == waypoint)
            {
                var uses = clusters.Uses = new Dependencies();
                var translated = WaypointTranslator.TranslateWorkload(after, clusters);
                translated.Telemetry = telemetry.For(null);
                Put(after.Wds.Uid, after, translated, uses, touched);
            }
            else if ((after ?? before) is { } gone && _entries.Remove(gone.Wds.Uid))
            {
                touched.Add(gone.Wds.Uid);
            }
        }
    }

    private void Put(string key, object source, Mesh.Waypoint.V1.Service message, Dependencies uses, HashSet<string> touched)
    {
        touched.Add(key);
        _entries[key] = new Entry(source, _entries.TryGetValue(key, out var known) && known.Message.Equals(message) ? known.Message : message, uses);
    }

    /// <summary>Makes again what was taken out and is still needed, and drops what nobody needs any more.</summary>
    private void KeepNeeded(WaypointInput input, ClusterTranslator clusters)
    {
        var needed = _entries.Values.SelectMany(e => e.Uses.Clusters).Concat(_policyUses.Clusters).ToHashSet(StringComparer.Ordinal);
        Remake(needed.Where(n => !clusters.Has(n)).ToList(), input, clusters);
        clusters.Keep(needed);
        _clustersOf.Clear();
        foreach (var name in needed)
        {
            var key = ClusterTranslator.PartsOf(name).Key;
            if (!_clustersOf.TryGetValue(key, out var names))
                _clustersOf[key] = names = [];
            names.Add(name);
        }
    }

    private void Remake(IEnumerable<string> names, WaypointInput input, ClusterTranslator clusters)
    {
        clusters.Uses = new Dependencies();
        foreach (var name in names)
        {
            var (key, port, subset) = ClusterTranslator.PartsOf(name);
            if (input.Services.FindKey(key) is { } service)
                clusters.Require(service, port, subset);
            else if (_entries.GetValueOrDefault(key)?.Source is MeshWorkload workload)
                clusters.Require(workload);
        }
    }

    /// <param name="clusters">As they are to be sent.</param>
    /// <param name="touched">Services and workloads whose message may differ; null: any.</param>
    private WaypointChanges? Conclude(ClusterTranslator clusters, HashSet<string>? touched)
    {
        var services = ((ImmutableDictionary<string, IMessage>)Configuration.Services).ToBuilder();
        var changed = new List<string>();
        foreach (var key in touched ?? [.. _entries.Keys.Concat(services.Keys)])
        {
            var before = services.GetValueOrDefault(key);
            var after = _entries.TryGetValue(key, out var entry) ? WithPolicies(entry) : null;
            if (after is null ? before is null : after.Equals(before))
                continue;
            changed.Add(key);
            if (after is null)
                services.Remove(key);
            else
                services[key] = after;
        }
        var renewed = clusters.Clusters;
        var clustersBefore = Clusters(Configuration);
        var clusterChanges = Differences(clustersBefore, renewed);
        var policyChanges = Differences(Configuration.Policies, _policies!.All);
        if (changed.Count == 0 && clusterChanges.Count == 0 && policyChanges.Count == 0)
            return null;
        Configuration = new WaypointConfiguration(waypoint.Id, services.ToImmutable(), renewed, _policies.All);
        return new WaypointChanges(changed, clusterChanges, policyChanges);
    }

    private Mesh.Waypoint.V1.Service WithPolicies(Entry entry)
    {
        var names = _policies!.For(entry.Source as MeshService).ToList();
        if (names.Count == 0)
            return entry.Message;
        var result = entry.Message.Clone();
        result.Policies.AddRange(names);
        return result;
    }

    private static List<string> Differences(IReadOnlyDictionary<string, IMessage> before, IReadOnlyDictionary<string, IMessage> after)
    {
        var changed = after.Where(a => !before.TryGetValue(a.Key, out var old) || !(ReferenceEquals(old, a.Value) || old.Equals(a.Value))).Select(a => a.Key).ToList();
        changed.AddRange(before.Keys.Where(k => !after.ContainsKey(k)));
        return changed;
    }

    private static ImmutableDictionary<string, IMessage> Clusters(WaypointConfiguration configuration) => (ImmutableDictionary<string, IMessage>)configuration.Clusters;
}
