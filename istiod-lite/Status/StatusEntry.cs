using System.Text.Json.Nodes;
using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Status;

/// <summary>What one writer would write into the status of one object.</summary>
internal sealed record StatusEntry(string Kind, string Namespace, string Name, string Writer, JsonObject Status)
{
    public const string ServiceWriter = "istio-ambient-service";
    public const string WorkloadEntryWriter = "istio-ambient-workloadentry";
    public const string ZtunnelPolicyWriter = "istio-ambient-ztunnel-policy";
    public const string WaypointPolicyWriter = "istio-ambient-waypoint-policy";
    public const string IpWriter = "ip-autoallocate";
    public const string GatewayWriter = "istio.io/gateway-controller";

    public static StatusEntry Conditions(Resource resource, string writer, params ReadOnlySpan<JsonObject> conditions) =>
        new(resource.Kind, resource.Namespace, resource.Name, writer, new JsonObject { ["conditions"] = Sorted(conditions) });

    /// <summary>A condition; a generation of 0 is left out, as Kubernetes does.</summary>
    public static JsonObject Condition(string type, bool status, string reason, string message, JsonNode? observedGeneration = null)
    {
        var condition = new JsonObject { ["message"] = message };
        if (observedGeneration is not null)
            condition["observedGeneration"] = observedGeneration;
        condition["reason"] = reason;
        condition["status"] = status ? "True" : "False";
        condition["type"] = type;
        return condition;
    }

    /// <summary>Istio kinds write the generation as proto JSON does: a string.</summary>
    public static JsonNode? IstioGeneration(Resource resource) =>
        resource.Meta.Generation == 0 ? null : JsonValue.Create(resource.Meta.Generation.ToString(System.Globalization.CultureInfo.InvariantCulture));

    public static JsonNode? GatewayGeneration(Resource resource) => resource.Meta.Generation == 0 ? null : JsonValue.Create(resource.Meta.Generation);

    private static JsonArray Sorted(ReadOnlySpan<JsonObject> conditions)
    {
        var array = new JsonArray();
        foreach (var condition in conditions.ToArray().OrderBy(c => (string)c["type"]!, StringComparer.Ordinal))
            array.Add(condition);
        return array;
    }
}
