using System.Collections.Immutable;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Status;
using Mesh.IstiodLite.Waypoints;
using Sec = Istio.Security;
using Wds = Istio.Workload;

namespace Mesh.IstiodLite.Translation.Incremental;

/// <summary>
/// A translation that is kept up: each change translates again what depends on it, and nothing else. After any sequence of changes the result
/// equals what <see cref="MeshTranslator"/> makes of the documents at once. One thread at a time; what it returns is immutable.
/// </summary>
/// <remarks>
/// (1) documents and addresses  (2) waypoints  (3) services  (4) policies  (5) workloads  (6) what each waypoint is sent  (7) the result, with the
/// names that changed. Each step tells the ones after it what is different.
/// </remarks>
internal sealed class MeshTranslation(MeshSettings startSettings, AddressBook startBook)
{
    private readonly ServiceStage _services = new();
    private readonly WorkloadStage _workloads = new();
    private readonly WaypointStage _waypoints = new();
    private readonly AddressStage _addresses = new();
    private AddressBook _book = startBook;
    private PolicySet? _policies;
    private SlicedPods? _slicedPods;
    private World? _world;
    private Translated? _current;

    /// <summary>What everything is seen through; made anew when a change concerns everything.</summary>
    private sealed record World(
        MeshSettings Settings, IReadOnlyList<Problem> Problems, string Network, IReadOnlyDictionary<string, NamespaceResource> Namespaces, WaypointCatalog Waypoints, WaypointBinder Binder,
        IReadOnlyList<NetworkGateway> Gateways);

    /// <param name="documents">Everything that is in force.</param>
    /// <param name="changes">What is different from the documents of the call before.</param>
    public Translated Apply(ResourceSet documents, IReadOnlyList<ResourceChange> changes)
    {
        var before = _current;
        // A step that throws leaves the others behind: then everything is done again.
        _current = null;
        var set = new ChangeSet(changes);
        return _current = before is null || set.ConcernsEverything(before.Settings, documents) ? Renew(documents, before) : Continue(documents, set, before) ?? Renew(documents, before);
    }

    private Translated Renew(ResourceSet documents, Translated? before)
    {
        var problems = new List<Problem>();
        var settings = MeshConfigReader.Apply(startSettings, documents, problems);
        var resources = settings.Standalone ? StandaloneObjects.Complete(documents) : documents;
        var namespaces = resources.Namespaces.ToDictionary(n => n.Name, StringComparer.Ordinal);
        var network = namespaces.GetValueOrDefault(settings.SystemNamespace)?.Meta.Label(WellKnown.Network) ?? string.Empty;
        var waypoints = new WaypointCatalog(resources, settings, network);
        _world = new World(settings, problems, network, namespaces, waypoints, new WaypointBinder(waypoints, namespaces), [.. NetworkGateway.All(resources)]);
        return Translate(resources, null, before);
    }

    /// <summary>Null: the change turned out to concern everything.</summary>
    private Translated? Continue(ResourceSet documents, ChangeSet changes, Translated before)
    {
        var world = _world!;
        // (1)
        var resources = world.Settings.Standalone ? before.Resources.With(changes.All) : documents;
        // (2) A waypoint has the accounts of its pods.
        if (changes.Versions<Pod>().Any(p => p.Meta.Label(WellKnown.GatewayName) is not null) && !new WaypointCatalog(resources, world.Settings, world.Network).MeansTheSameAs(world.Waypoints))
            return null;
        return Translate(resources, changes, before);
    }

    /// <param name="resources">All of them.</param>
    /// <param name="changes">Null: everything is to be looked at.</param>
    /// <param name="before">What clients have.</param>
    private Translated Translate(ResourceSet resources, ChangeSet? changes, Translated? before)
    {
        var world = _world!;
        var settings = world.Settings;

        // (1)
        var previousBook = _book;
        var book = changes is null || changes.Any<Service>() || changes.Any<ServiceEntry>() ? AddressAllocator.Allocate(resources, settings, previousBook).OrSame(previousBook) : previousBook;

        // (3)
        var accounts = new EndpointAccounts(resources, world.Waypoints);
        var serviceTranslator = new ServiceTranslator(settings, world.Network, world.Binder, world.Namespaces, book);
        var stale = changes is null ? null : Staleness.Services(resources, changes, previousBook, book, accounts);
        var serviceChanges = _services.Update(resources, settings, serviceTranslator, accounts, stale);
        var services = _services.Catalog;

        // (4)
        var policiesChanged = changes is null || changes.Any<AuthorizationPolicy>() || changes.Any<PeerAuthentication>();
        var policies = policiesChanged ? new PolicySet(resources, settings, r => MeshTranslator.InRevision(r, settings), changes is null ? null : _policies) : _policies!;
        _policies = policies;

        // (5)
        var translator = Workloads(resources, services, policies, keepSlices: changes is not null && serviceChanges.Count == 0 && !changes.Versions<EndpointSlice>().Any(s => SlicedPods.ServiceOf(s, services, settings) is not null));
        var staleWorkloads = Staleness.Workloads(resources, settings, changes, serviceChanges, services);
        var gone = changes is null ? _workloads.ByDocument.Keys.Where(k => !resources.Has(k)) : changes.All.Where(c => c.After is null).Select(c => c.Key);
        var workloadChanges = _workloads.Update(staleWorkloads, gone.ToList(), translator);

        // (6)
        var input = new WaypointInput(resources, settings, services, world.Waypoints);
        var waypointChanges = _waypoints.Update(input, _workloads, new WaypointDelta(resources, settings, changes, serviceChanges, workloadChanges));

        // (7)
        var changedAddresses = _addresses.Update(serviceChanges, workloadChanges, world.Gateways);
        var snapshot = _workloads.ByDocument;
        var authorizations = policiesChanged || settings.AutoAllowWaypoint ? policies.WithWaypointsAllowed(snapshot.Values.SelectMany(w => w), settings) : before!.Authorizations;
        var configurations = _waypoints.Configurations;
        var found = _waypoints.Problems;
        var statusesChanged = changes is null || serviceChanges.Count > 0 || policiesChanged || !ReferenceEquals(book, previousBook) || changes.Any<WorkloadEntry>() || changes.Any<GatewayRoute>() || changes.Any<ServiceEntry>()
            || changes.Any<Service>() || changes.Any<RateLimitPolicy>() || changes.Versions<Pod>().Any(p => p.Meta.Label(WellKnown.GatewayName) is not null);
        _book = book;
        return new Translated
        {
            Addresses = _addresses.Current,
            Authorizations = authorizations,
            Waypoints = configurations,
            StatusSource = statusesChanged
                ? new(() => MeshStatuses.Of(new StatusInput(resources, settings, services, All(snapshot), policies, world.Waypoints, serviceTranslator, book)))
                : before!.StatusSource,
            ProblemSource = new(() =>
            {
                List<Problem> problems = [.. world.Problems, .. WaypointTranslator.Once(found)];
                Findings.Add(problems, new FindingInput(resources, settings, services, All(snapshot), policies, accounts, world.Waypoints, configurations));
                return problems;
            }),
            Book = book,
            Resources = resources,
            Settings = settings,
            Catalog = world.Waypoints,
            Services = services.Count,
            Changes = before is null ? null : new TranslationChanges(changedAddresses, Differences(before.Authorizations, authorizations), waypointChanges),
        };
    }

    private WorkloadTranslator Workloads(ResourceSet resources, ServiceCatalog services, PolicySet policies, bool keepSlices)
    {
        var world = _world!;
        _slicedPods = keepSlices ? _slicedPods : new SlicedPods(resources.Slices, services, world.Settings);
        var context = new WorkloadContext(world.Settings, world.Network, services, world.Waypoints, world.Binder, policies.ForWorkloads,
            resources.Nodes.ToDictionary(n => n.Name, StringComparer.Ordinal), NetworkGateway.ByNetwork(world.Gateways));
        return new WorkloadTranslator(context, _slicedPods!);
    }

    private static List<MeshWorkload> All(ImmutableDictionary<ResourceKey, IReadOnlyList<MeshWorkload>> workloads) => [.. workloads.Values.SelectMany(w => w)];

    private static IReadOnlyCollection<string> Differences(IReadOnlyDictionary<string, Sec.Authorization> before, IReadOnlyDictionary<string, Sec.Authorization> after)
    {
        if (ReferenceEquals(before, after))
            return [];
        var changed = after.Where(a => !before.TryGetValue(a.Key, out var old) || !(ReferenceEquals(old, a.Value) || old.Equals(a.Value))).Select(a => a.Key).ToList();
        changed.AddRange(before.Keys.Where(k => !after.ContainsKey(k)));
        return changed;
    }
}
