using System.Net;
using Google.Protobuf;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Status;
using Mesh.IstiodLite.Waypoints;
using Gateway = Mesh.IstiodLite.Resources.Gateway;
using Sec = Istio.Security;
using Wds = Istio.Workload;

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
        var services = new ServiceCatalog(resources, translator, r => InRevision(r, settings), accounts.OfService);

        // (4)
        var policies = new PolicySet(resources, settings, r => InRevision(r, settings));

        // (5)
        var gateways = NetworkGateways(resources).ToList();
        var context = new WorkloadContext(settings, network, services, waypoints, binder, policies.ForWorkloads,
            resources.Nodes.ToDictionary(n => n.Name, StringComparer.Ordinal),
            gateways.GroupBy(g => g.Network, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.First().Address, StringComparer.Ordinal));
        var workloads = Workloads(resources, settings, context, services).ToList();
        policies.AllowWaypoints(workloads, settings);

        // (6)
        var statuses = new List<StatusEntry>();
        BindingStatus.Add(statuses, resources, services, workloads, settings, translator);
        statuses.AddRange(policies.Statuses);
        TargetStatus.Add(statuses, resources, services, waypoints, settings, r => InRevision(r, settings));
        AllocationStatus.Add(statuses, resources, book);
        GatewayStatus.Add(statuses, resources, services, settings);
        RouteStatus.Add(statuses, resources, services);
        statuses.Sort(CompareStatus);

        // (7)
        var configurations = WaypointTranslator.Translate(new WaypointInput(resources, settings, network, services, workloads, waypoints, policies), problems);
        Findings.Add(problems, new FindingInput(resources, settings, services, workloads, policies, accounts, waypoints));

        return new Translated
        {
            Addresses = Addresses(services, workloads, gateways),
            Authorizations = policies.Authorizations,
            Statuses = statuses,
            Problems = problems,
            Waypoints = configurations,
            Book = book,
            Resources = resources,
            Settings = settings,
            Catalog = waypoints,
        };
    }

    private static bool InRevision(Resource resource, MeshSettings settings) =>
        settings.Revision.Length == 0 || resource.Meta.Label(WellKnown.Revision) is not { Length: > 0 } revision || revision == settings.Revision;

    private static IEnumerable<MeshWorkload> Workloads(ResourceSet resources, MeshSettings settings, WorkloadContext context, ServiceCatalog services)
    {
        var slices = resources.Slices
            .Select(s => (Slice: s, Service: s.Meta.Label(WellKnown.ServiceName) is { } name ? services.Find(s.Namespace, $"{name}.{s.Namespace}.svc.{settings.ClusterDomain}") : null))
            .Where(s => s.Service is { IsKubernetes: true, Selector: null or { Count: 0 } })
            .Select(s => (s.Slice, Service: s.Service!))
            .ToList();
        var podsBySlice = slices
            .SelectMany(s => s.Slice.Endpoints.Where(e => e is { TargetKind: "Pod", TargetName: not null }).Select(e => (Pod: (e.TargetNamespace ?? s.Slice.Namespace, e.TargetName!), s.Service, Uid: e.TargetUid ?? "")))
            .ToLookup(x => x.Pod, x => (x.Service, x.Uid));
        var translator = new WorkloadTranslator(context, podsBySlice);
        foreach (var pod in resources.Pods)
        {
            if (translator.FromPod(pod) is { } workload)
                yield return workload;
        }
        foreach (var entry in resources.WorkloadEntries.Where(e => InRevision(e, settings)))
        {
            if (translator.FromEntry(entry) is { } workload)
                yield return workload;
        }
        foreach (var own in services.All.Where(s => s.Entry is not null).GroupBy(s => s.Entry!))
        {
            foreach (var workload in translator.FromServiceEntry(own.Key, [.. own.OrderBy(s => own.Key.Hosts.ToList().IndexOf(s.Hostname))]))
                yield return workload;
        }
        foreach (var (slice, service) in slices)
        {
            foreach (var workload in translator.FromSlice(slice, service))
                yield return workload;
        }
    }

    private sealed record NetworkGateway(string Network, Wds.GatewayAddress Address, Wds.Workload Workload);

    /// <summary>Gateways of class istio-remote with a network label lead to another network (reference: istiod 11.1).</summary>
    private static IEnumerable<NetworkGateway> NetworkGateways(ResourceSet resources)
    {
        var unmanaged = resources.GatewayClasses.Where(c => c.ControllerName is WellKnown.UnmanagedController).Select(c => c.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var gateway in resources.Gateways)
        {
            var remote = gateway.ClassName is "istio-remote" || unmanaged.Contains(gateway.ClassName);
            if (!remote || gateway.Meta.Label(WellKnown.Network) is not { Length: > 0 } network || !gateway.Listeners.Any(l => l.Protocol is "HBONE"))
                continue;
            var port = (uint)gateway.Listeners.First(l => l.Protocol is "HBONE").Port;
            foreach (var text in gateway.StatusAddresses.Where(a => a.Type is "IPAddress").Select(a => a.Value))
            {
                if (IpBytes.Parse(text) is not { } ip)
                    continue;
                var name = $"NetworkGateway/{network}/{ip}/{port}";
                var workload = new Wds.Workload
                {
                    Uid = name,
                    Name = name,
                    Namespace = gateway.Namespace,
                    Network = network,
                    ServiceAccount = gateway.Meta.Annotation(WellKnown.GatewayServiceAccount) ?? $"{gateway.Name}-{gateway.ClassName}",
                };
                workload.Addresses.Add(IpBytes.Of(ip));
                yield return new NetworkGateway(network, new Wds.GatewayAddress { Address = new Wds.NetworkAddress { Network = network, Address = IpBytes.Of(ip) }, HboneMtlsPort = port }, workload);
            }
        }
    }

    private static SortedDictionary<string, TranslatedAddress> Addresses(ServiceCatalog services, List<MeshWorkload> workloads, List<NetworkGateway> gateways)
    {
        var result = new SortedDictionary<string, TranslatedAddress>(StringComparer.Ordinal);
        foreach (var workload in workloads.Select(w => w.Wds).Concat(gateways.Select(g => g.Workload)))
            result[workload.Uid] = new TranslatedAddress(workload.Uid, [.. workload.Addresses.Select(a => Alias(workload.Network, a, null))], new Wds.Address { Workload = workload });
        foreach (var service in services.All)
        {
            var aliases = service.Wds.Addresses.Select(a => Alias(a.Network, a.Address, a.HasLength ? a.Length : null));
            result[service.Key] = new TranslatedAddress(service.Key, [.. aliases], new Wds.Address { Service = service.Wds });
        }
        return result;
    }

    private static string Alias(string network, ByteString address, uint? length) =>
        length is null ? $"{network}/{new IPAddress(address.Span)}" : $"{network}/{new IPAddress(address.Span)}/{length}";

    private static int CompareStatus(StatusEntry a, StatusEntry b)
    {
        var order = string.CompareOrdinal(a.Kind, b.Kind);
        order = order != 0 ? order : string.CompareOrdinal(a.Namespace, b.Namespace);
        order = order != 0 ? order : string.CompareOrdinal(a.Name, b.Name);
        return order != 0 ? order : string.CompareOrdinal(a.Writer, b.Writer);
    }
}
