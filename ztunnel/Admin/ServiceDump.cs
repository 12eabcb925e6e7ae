using System.Text.Json.Nodes;
using Mesh.Model;
using Mesh.Model.Workloads;

namespace Mesh.Ztunnel.Admin;

/// <summary>The <c>services</c> and <c>stagedServices</c> of the dump.</summary>
internal static class ServiceDump
{
    public static JsonArray Services(MeshSnapshot mesh) =>
        new([.. mesh.Services.Select(s => s.Value).OrderBy(s => s.Service.Hostname, StringComparer.Ordinal).ThenBy(s => s.Service.Namespace, StringComparer.Ordinal).Select(One)]);

    public static JsonObject Staged(MeshSnapshot mesh)
    {
        var dump = new JsonObject();
        foreach (var (service, endpoints) in mesh.StagedEndpoints)
            dump[service.ToString()] = Endpoints(endpoints.Values);
        return dump;
    }

    private static JsonObject One(ServiceEndpoints entry)
    {
        var service = entry.Service;
        var dump = new JsonObject
        {
            ["name"] = service.Name,
            ["namespace"] = service.Namespace,
            ["hostname"] = service.Hostname,
            ["vips"] = new JsonArray([.. service.Vips.Select(v => JsonValue.Create(v.ToString()))]),
            ["ports"] = Ports(service.Ports),
            ["endpoints"] = Endpoints(entry.Endpoints),
            ["subjectAltNames"] = new JsonArray([.. service.SubjectAltNames.Select(n => JsonValue.Create(n.ToString()))]),
            ["canonical"] = service.Canonical,
            ["visibility"] = service.Visibility.ToString(),
        };
        if (!service.CidrVips.IsEmpty)
            dump["cidrVips"] = new JsonArray([.. service.CidrVips.Select(c => new JsonObject { ["network"] = c.Network, ["cidr"] = c.Prefix.ToString() })]);
        if (service.Waypoint is { } waypoint)
            dump["waypoint"] = WorkloadDump.Gateway(waypoint);
        if (!service.WeightedWaypoints.IsEmpty)
        {
            dump["weightedWaypoints"] = new JsonArray(
                [.. service.WeightedWaypoints.Select(w => new JsonObject { ["destination"] = WorkloadDump.Gateway(w.Destination), ["weight"] = w.Weight })]);
        }
        if (service.LoadBalancer is { } balancer)
        {
            dump["loadBalancer"] = new JsonObject
            {
                ["routingPreferences"] = new JsonArray([.. balancer.RoutingPreferences.Select(p => JsonValue.Create(p.ToString()))]),
                ["mode"] = balancer.Mode.ToString(),
                ["healthPolicy"] = balancer.HealthPolicy.ToString(),
            };
        }
        if (service.IpFamilies is { } families)
            dump["ipFamilies"] = families.ToString();
        return dump;
    }

    private static JsonObject Endpoints(IEnumerable<Endpoint> endpoints)
    {
        var dump = new JsonObject();
        foreach (var endpoint in endpoints)
        {
            dump[endpoint.Workload.Uid] = new JsonObject
            {
                ["workloadUid"] = endpoint.Workload.Uid,
                ["port"] = Ports(endpoint.Ports),
                ["status"] = endpoint.Workload.Status.ToString(),
            };
        }
        return dump;
    }

    private static JsonObject Ports(PortMap ports)
    {
        var dump = new JsonObject();
        foreach (var port in ports)
            dump[port.Port.ToString(System.Globalization.CultureInfo.InvariantCulture)] = port.TargetPort;
        return dump;
    }
}
