using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Status;
using Mesh.IstiodLite.Translation;
using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>What route translations of one waypoint share: finding destinations, and saying what cannot be found.</summary>
internal sealed class RouteContext(WaypointInput input, WaypointInfo waypoint, ClusterTranslator clusters)
{
    public MeshSettings Settings => input.Settings;
    public ResourceSet Resources => input.Resources;
    public ServiceCatalog Services => input.Services;
    public WaypointInfo Waypoint => waypoint;
    public ClusterTranslator Clusters => clusters;

    /// <summary>The cluster of a destination as a VirtualService names it. A name without a cluster behind it is answered 503 by the waypoint.</summary>
    public string ClusterOf(VirtualService source, RouteDestination destination, int listenerPort)
    {
        var hostname = HostNames.Resolve(destination.Host, source.Namespace, Settings.ClusterDomain);
        var service = FindService(hostname, source.Namespace);
        if (service is null)
        {
            Report(source, destination.Line, $"sends requests to the host {hostname}, which no Service and no ServiceEntry has; they are answered 503", "correct the host, or add the Service");
            return $"{source.Namespace}/{hostname}|{destination.Port ?? listenerPort}|{destination.Subset}";
        }
        var port = destination.Port ?? (service.Ports.Count == 1 ? service.Ports[0].Number : listenerPort);
        if (service.Ports.All(p => p.Number != port))
        {
            Report(source, destination.Line, $"sends requests to port {port} of {hostname}, which has no such port (it has {string.Join(", ", service.Ports.Select(p => p.Number))})", "name one of its ports");
            return ClusterTranslator.NameOf(service, port, destination.Subset ?? string.Empty);
        }
        if (clusters.Require(service, port, destination.Subset ?? string.Empty) is { } name)
            return name;
        ReportSubset(source, destination, service);
        return ClusterTranslator.NameOf(service, port, destination.Subset!);
    }

    public MeshService? FindService(string hostname, string ns)
    {
        clusters.Uses.Hosts.Add(hostname);
        var same = Services.WithHostname(hostname);
        return same.FirstOrDefault(s => s.Namespace == ns) ?? same.FirstOrDefault(s => s.Canonical) ?? same.FirstOrDefault(s => s.Namespace == waypoint.Namespace);
    }

    /// <summary>The service that a reference of a route leads to.</summary>
    public MeshService? FindReference(GatewayRoute route, RouteReference reference)
    {
        clusters.Uses.Hosts.Add(Dependencies.SourceName(reference.Kind ?? "Service", reference.Namespace ?? route.Namespace, reference.Name));
        return RouteStatus.FindService(Services, route, reference);
    }

    public void Report(Resource source, int line, string what, string fix)
    {
        clusters.Uses.Problems.Add(Problem.Warning(source, what, fix, line));
    }

    private void ReportSubset(VirtualService source, RouteDestination destination, MeshService service)
    {
        var rule = clusters.RuleFor(service);
        var where = rule.Sources.Count == 0
            ? $"there is no DestinationRule for {service.Hostname}"
            : $"{string.Join(" and ", rule.Sources.Select(r => $"DestinationRule {r.Namespace}/{r.Name} ({r.Position})"))} "
                + (rule.Subsets.Count == 0 ? "defines no subsets" : $"defines only {string.Join(", ", rule.Subsets.Keys.Order(StringComparer.Ordinal))}");
        Report(source, destination.Line,
            $"sends requests to subset {destination.Subset} of {service.Hostname}, which nobody defines: {where}; they are answered 503",
            $"define the subset {destination.Subset} in a DestinationRule for {service.Hostname}; it may be a second one for the same host");
    }
}
