using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Status;
using Mesh.IstiodLite.Waypoints;

namespace Mesh.IstiodLite.Translation;

/// <summary>
/// All documents to all resources. Pure: same documents, settings and address book, same result, whatever the order of the documents.
/// </summary>
/// <remarks>
/// (1) settings and addresses  (2) waypoints  (3) services  (4) policies  (5) workloads  (6) statuses  (7) what each waypoint is sent.
/// Each step reads only what the ones before it made.
/// </remarks>
internal static class MeshTranslator
{
    public static Translated Translate(ResourceSet documents, MeshSettings startSettings, AddressBook previousBook)
    {
        // (1)
        var problems = new List<Problem>();
        var settings = MeshConfigReader.Apply(startSettings, documents, problems);
        var resources = settings.Standalone ? StandaloneObjects.Complete(documents) : documents;
        var book = AddressAllocator.Allocate(resources, settings, previousBook);
        var namespaces = resources.Namespaces.ToDictionary(n => n.Name, StringComparer.Ordinal);
        var network = namespaces.GetValueOrDefault(settings.SystemNamespace)?.Meta.Label(WellKnown.Network) ?? string.Empty;

        // (2)
        var waypoints = new WaypointCatalog(resources, settings, network);
        var binder = new WaypointBinder(waypoints, namespaces);

        // (3)
        var accounts = new EndpointAccounts(resources, waypoints);
        var translator = new ServiceTranslator(settings, network, binder, namespaces, book);
        var services = ServiceCatalog.Of(resources, translator, r => InRevision(r, settings), accounts.OfService);

        // (4)
        var policies = new PolicySet(resources, settings, r => InRevision(r, settings), previous: null);

        // (5)
        var gateways = NetworkGateway.All(resources).ToList();
        var context = new WorkloadContext(settings, network, services, waypoints, binder, policies.ForWorkloads,
            resources.Nodes.ToDictionary(n => n.Name, StringComparer.Ordinal),
            NetworkGateway.ByNetwork(gateways));
        var workloads = Workloads(resources, settings, context, services).ToList();

        // (6)
        var statuses = MeshStatuses.Of(new StatusInput(resources, settings, services, workloads, policies, waypoints, translator, book));

        // (7)
        var configurations = WaypointTranslator.Translate(new WaypointInput(resources, settings, services, waypoints), workloads, problems);
        Findings.Add(problems, new FindingInput(resources, settings, services, workloads, policies, accounts, waypoints, configurations));

        return new Translated
        {
            Addresses = Addresses(services, workloads, gateways),
            Authorizations = policies.WithWaypointsAllowed(workloads, settings),
            StatusSource = new(statuses),
            ProblemSource = new(problems),
            Waypoints = configurations,
            Book = book,
            Resources = resources,
            Settings = settings,
            Catalog = waypoints,
            Services = services.Count,
        };
    }

    public static bool InRevision(Resource resource, MeshSettings settings) =>
        settings.Revision.Length == 0 || resource.Meta.Label(WellKnown.Revision) is not { Length: > 0 } revision || revision == settings.Revision;

    private static IEnumerable<MeshWorkload> Workloads(ResourceSet resources, MeshSettings settings, WorkloadContext context, ServiceCatalog services)
    {
        var slices = resources.Slices.Where(s => SlicedPods.ServiceOf(s, services, settings) is not null).ToList();
        var translator = new WorkloadTranslator(context, new SlicedPods(slices, services, settings));
        IEnumerable<Resource> sources = [.. resources.Pods, .. resources.WorkloadEntries, .. resources.ServiceEntries, .. slices];
        return sources.SelectMany(translator.From);
    }

    private static SortedDictionary<string, TranslatedAddress> Addresses(ServiceCatalog services, List<MeshWorkload> workloads, List<NetworkGateway> gateways)
    {
        var result = new SortedDictionary<string, TranslatedAddress>(StringComparer.Ordinal);
        foreach (var workload in workloads.Select(w => w.Wds).Concat(gateways.Select(g => g.Workload)))
            result[workload.Uid] = TranslatedAddress.Of(workload);
        foreach (var service in services.All)
            result[service.Key] = TranslatedAddress.Of(service.Key, service.Wds);
        return result;
    }
}
