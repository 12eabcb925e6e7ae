using System.Text.Json.Nodes;
using Mesh.Model;
using Mesh.Model.Workloads;

namespace Mesh.Ztunnel.Admin;

/// <summary>The <c>workloads</c> of the dump. What is default or empty is left out, except the few fields that are always there.</summary>
internal static class WorkloadDump
{
    public static JsonArray Of(MeshSnapshot mesh) => new([.. mesh.Workloads.Select(w => w.Value).OrderBy(w => w.Uid, StringComparer.Ordinal).Select(One)]);

    public static JsonObject Gateway(GatewayAddress gateway) => new() { ["destination"] = gateway.Destination, ["hboneMtlsPort"] = gateway.HboneMtlsPort };

    private static JsonObject One(Workload workload)
    {
        var dump = new JsonObject
        {
            ["workloadIps"] = new JsonArray([.. workload.Addresses.Select(a => JsonValue.Create(a.ToString()))]),
            ["protocol"] = workload.Protocol == TunnelProtocol.Hbone ? "HBONE" : "TCP",
            ["networkMode"] = workload.NetworkMode.ToString(),
            ["name"] = workload.Name,
            ["namespace"] = workload.Namespace,
            ["status"] = workload.Status.ToString(),
            ["clusterId"] = workload.ClusterId,
            ["capacity"] = workload.Capacity,
            ["workloadType"] = workload.WorkloadType.ToString().ToLowerInvariant(),
        };
        Text(dump, "uid", workload.Uid);
        Text(dump, "trustDomain", workload.TrustDomain);
        Text(dump, "serviceAccount", workload.ServiceAccount);
        Text(dump, "network", workload.Network);
        Text(dump, "workloadName", workload.WorkloadName);
        Text(dump, "canonicalName", workload.CanonicalName);
        Text(dump, "canonicalRevision", workload.CanonicalRevision);
        Text(dump, "hostname", workload.Hostname);
        Text(dump, "node", workload.Node);
        if (workload.NativeTunnel)
            dump["nativeTunnel"] = true;
        if (workload.ApplicationTunnel is { } tunnel)
        {
            dump["applicationTunnel"] = new JsonObject
            {
                ["protocol"] = tunnel.Protocol == ApplicationTunnelProtocol.Proxy ? "PROXY" : "NONE",
                ["port"] = tunnel.Port is { } port ? JsonValue.Create(port) : null,
            };
        }
        if (!workload.AuthorizationPolicies.IsEmpty)
            dump["authorizationPolicies"] = new JsonArray([.. workload.AuthorizationPolicies.Select(p => JsonValue.Create(p))]);
        if (workload.Locality != Locality.Unknown)
        {
            dump["locality"] = new JsonObject { ["region"] = workload.Locality.Region, ["zone"] = workload.Locality.Zone, ["subzone"] = workload.Locality.Subzone };
        }
        if (!workload.Services.IsEmpty)
            dump["services"] = new JsonArray([.. workload.Services.Select(s => JsonValue.Create(s.Service.ToString()))]);
        if (workload.Waypoint is { } waypoint)
            dump["waypoint"] = Gateway(waypoint);
        if (workload.NetworkGateway is { } gateway)
            dump["networkGateway"] = Gateway(gateway);
        return dump;
    }

    private static void Text(JsonObject dump, string name, string value)
    {
        if (value.Length > 0)
            dump[name] = value;
    }
}
