using Google.Protobuf;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;
using Mesh.Waypoint.V1;
using Wds = Istio.Workload;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>Everything that the translation for waypoints reads, but for endpoints.</summary>
internal sealed record WaypointInput(ResourceSet Resources, MeshSettings Settings, ServiceCatalog Services, WaypointCatalog Waypoints);

/// <summary>What each waypoint is sent: only its own services and workloads, with everything they need resolved.</summary>
/// <remarks>(1) services it stands before  (2) their routes, port by port, which ask for the clusters they use  (3) workloads  (4) policies.</remarks>
internal static class WaypointTranslator
{
    public static IReadOnlyDictionary<string, WaypointConfiguration> Translate(WaypointInput input, IReadOnlyList<MeshWorkload> workloads, List<Problem> problems)
    {
        var rules = new DestinationRules(input.Resources, input.Settings);
        var endpoints = new EndpointIndex(workloads);
        var result = new SortedDictionary<string, WaypointConfiguration>(StringComparer.Ordinal);
        var found = new List<Problem>();
        foreach (var waypoint in input.Waypoints.All.OrderBy(w => w.Id, StringComparer.Ordinal))
            result[waypoint.Id] = TranslateOne(input, waypoint, workloads, rules, endpoints, found);
        problems.AddRange(Once(found));
        return result;
    }

    /// <summary>What is wrong with a document is said once, however many services and waypoints it is for: where it stands first.</summary>
    public static IEnumerable<Problem> Once(IEnumerable<Problem> found) =>
        found.OrderBy(p => p.Line).DistinctBy(p => (p.File, p.Document, p.Reason)).OrderBy(p => p.Document, StringComparer.Ordinal).ThenBy(p => p.Reason, StringComparer.Ordinal);

    private static WaypointConfiguration TranslateOne(WaypointInput input, WaypointInfo waypoint, IReadOnlyList<MeshWorkload> workloads, DestinationRules rules, EndpointIndex endpoints, List<Problem> problems)
    {
        var clusters = new ClusterTranslator(input, endpoints, rules, waypoint, endpoints.LocalityOf(waypoint));
        var context = new RouteContext(input, waypoint, clusters);
        var policies = new RequestPolicies(input, waypoint, context);
        var telemetry = new Telemetries(input, waypoint, context);
        var services = new SortedDictionary<string, IMessage>(StringComparer.Ordinal);

        // (1) (2)
        foreach (var service in input.Services.All.Where(s => IsBehind(s, waypoint)))
        {
            var translated = TranslateService(service, context);
            translated.Policies.AddRange(policies.For(service));
            translated.Telemetry = telemetry.For(service);
            services[service.Key] = translated;
        }

        // (3)
        foreach (var workload in workloads.Where(w => w.Binding.Waypoint == waypoint))
        {
            var translated = TranslateWorkload(workload, clusters);
            translated.Policies.AddRange(policies.For(null));
            translated.Telemetry = telemetry.For(null);
            services[workload.Wds.Uid] = translated;
        }

        // (4)
        problems.AddRange(clusters.Uses.Problems);
        return new WaypointConfiguration(waypoint.Id, services, clusters.Clusters, policies.All);
    }

    public static bool IsBehind(MeshService service, WaypointInfo waypoint) => service.Binding.Waypoint == waypoint || service.Binding.Canary == waypoint;

    /// <summary>Without policies.</summary>
    public static Mesh.Waypoint.V1.Service TranslateService(MeshService service, RouteContext context)
    {
        var result = new Mesh.Waypoint.V1.Service { Name = service.Source.Name, Namespace = service.Namespace, Hostname = service.Hostname };
        result.Addresses.AddRange(service.Wds.Addresses.Select(a => a.Address));
        var virtualRoutes = new VirtualRoutes(context);
        var gatewayRoutes = new GatewayRoutes(context);
        var sources = virtualRoutes.For(service).ToList();
        foreach (var port in service.Ports.Where(p => p.IsTcp))
        {
            var translated = new Mesh.Waypoint.V1.ServicePort { Port = (uint)port.Number, Protocol = ProtoParts.Of(port.Protocol) };
            var own = context.Clusters.Require(service, port.Number, string.Empty)!;
            if (ProtoParts.SpeaksHttp(translated.Protocol))
            {
                translated.HttpRoutes.AddRange(gatewayRoutes.For(service, port.Number));
                translated.HttpRoutes.AddRange(virtualRoutes.Http(sources, port.Number));
            }
            if (ProtoParts.SpeaksTcp(translated.Protocol))
            {
                translated.TcpRoutes.AddRange(gatewayRoutes.Tcp(service, port.Number));
                translated.TcpRoutes.AddRange(virtualRoutes.Tcp(sources, service, port.Number));
            }
            Complete(translated, own, context.Settings);
            result.Ports.Add(translated);
        }
        return result;
    }

    /// <summary>Where nothing is declared everything goes to the service itself, with the default retries.</summary>
    private static void Complete(Mesh.Waypoint.V1.ServicePort port, string ownCluster, MeshSettings settings)
    {
        if (port.HttpRoutes.Count == 0 && port.TcpRoutes.Count == 0)
            port.DefaultCluster = ownCluster;
        if (port.HttpRoutes.Count == 0 && ProtoParts.SpeaksHttp(port.Protocol))
        {
            var forward = new Forward { Retry = ProtoParts.Retry(null, settings.DefaultRetry) };
            forward.Clusters.Add(new WeightedCluster { Cluster = ownCluster, Weight = 1 });
            port.HttpRoutes.Add(new HttpRoute { Name = "default", Forward = forward });
        }
        if (port.TcpRoutes.Count == 0 && ProtoParts.SpeaksTcp(port.Protocol))
        {
            var route = new TcpRoute();
            route.Clusters.Add(new WeightedCluster { Cluster = ownCluster, Weight = 1 });
            port.TcpRoutes.Add(route);
        }
    }

    /// <summary>Without policies.</summary>
    public static Mesh.Waypoint.V1.Service TranslateWorkload(MeshWorkload workload, ClusterTranslator clusters)
    {
        var cluster = clusters.Require(workload);
        var result = new Mesh.Waypoint.V1.Service { Name = workload.Wds.Name, Namespace = workload.Wds.Namespace, Hostname = workload.Wds.Hostname, Workload = true };
        result.Addresses.AddRange(workload.Wds.Addresses);
        var port = new Mesh.Waypoint.V1.ServicePort { Protocol = Protocol.Auto, DefaultCluster = cluster };
        var forward = new Forward();
        forward.Clusters.Add(new WeightedCluster { Cluster = cluster, Weight = 1 });
        port.HttpRoutes.Add(new HttpRoute { Name = "direct", Forward = forward });
        var tcp = new TcpRoute();
        tcp.Clusters.Add(new WeightedCluster { Cluster = cluster, Weight = 1 });
        port.TcpRoutes.Add(tcp);
        result.Ports.Add(port);
        return result;
    }
}
