using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Mesh.Testing.Kubernetes.Storage;

/// <summary>What the server adds to an object, and what it refuses.</summary>
public sealed partial class ApiStore
{
    private void Complete(ServedKind kind, JsonObject? before, JsonObject body)
    {
        var metadata = (JsonObject)body[Managed]!;
        metadata["uid"] ??= before?[Managed]!["uid"]?.DeepClone() ?? Guid.NewGuid().ToString();
        metadata["creationTimestamp"] ??= before?[Managed]!["creationTimestamp"]?.DeepClone() ?? Now;
        if (kind.IsCustom || body["spec"] is not null && kind.Kind is not ("Pod" or "Service" or "Lease" or "Namespace" or "Node"))
        {
            var generation = (long?)before?[Managed]!["generation"] ?? 0;
            metadata["generation"] = before is null || !SameContent(before, body) ? generation + 1 : Math.Max(generation, 1);
        }
        switch (kind.Kind)
        {
            case "Service" when kind.Group.Length == 0:
                CompleteService(before, body);
                break;
            case "Namespace":
                body["status"] ??= new JsonObject { ["phase"] = "Active" };
                if (metadata["labels"] is not JsonObject labels)
                    metadata["labels"] = labels = [];
                labels["kubernetes.io/metadata.name"] = (string)metadata["name"]!;
                break;
            case "Pod":
                if (body["spec"] is JsonObject spec)
                    spec["serviceAccountName"] ??= "default";
                body["status"] ??= new JsonObject { ["phase"] = "Pending" };
                break;
            case "CustomResourceDefinition":
                CompleteDefinition(body);
                break;
        }
    }

    private static bool SameContent(JsonObject a, JsonObject b) =>
        a.Where(f => f.Key is not ("metadata" or "status")).Select(f => f.Key).Union(b.Where(f => f.Key is not ("metadata" or "status")).Select(f => f.Key), StringComparer.Ordinal)
            .All(f => JsonNode.DeepEquals(a[f], b[f]));

    private void CompleteService(JsonObject? before, JsonObject body)
    {
        if (body["spec"] is not JsonObject spec)
            return;
        spec["type"] ??= "ClusterIP";
        foreach (var port in (spec["ports"] as JsonArray ?? []).OfType<JsonObject>())
        {
            port["protocol"] ??= "TCP";
            port["targetPort"] ??= port["port"]?.DeepClone();
        }
        body["status"] ??= new JsonObject { ["loadBalancer"] = new JsonObject() };
        if ((string?)spec["type"] == "ExternalName")
            return;
        if (spec["clusterIP"] is null && before?["spec"]?["clusterIP"] is { } kept)
            spec["clusterIP"] = kept.DeepClone();
        if (spec["clusterIP"] is null)
        {
            var next = _addresses++;
            spec["clusterIP"] = string.Create(CultureInfo.InvariantCulture, $"10.96.{next / 250}.{(next % 250) + 1}");
        }
        spec["clusterIPs"] ??= new JsonArray((string)spec["clusterIP"]!);
        spec["ipFamilies"] ??= new JsonArray("IPv4");
        spec["ipFamilyPolicy"] ??= "SingleStack";
    }

    private void CompleteDefinition(JsonObject body)
    {
        var names = body["spec"]!["names"]!;
        body["status"] = new JsonObject
        {
            ["conditions"] = new JsonArray(
                new JsonObject { ["type"] = "NamesAccepted", ["status"] = "True", ["reason"] = "NoConflicts", ["message"] = "no conflicts found", ["lastTransitionTime"] = Now },
                new JsonObject { ["type"] = "Established", ["status"] = "True", ["reason"] = "InitialNamesAccepted", ["message"] = "the initial names have been accepted", ["lastTransitionTime"] = Now }),
            ["acceptedNames"] = names.DeepClone(),
            ["storedVersions"] = new JsonArray([.. body["spec"]!["versions"]!.AsArray().Where(v => (bool?)v!["storage"] is true).Select(v => v!["name"]!.DeepClone())]),
        };
    }

    /// <summary>The rules that clients have stumbled over; schemas are not checked.</summary>
    private static void Validate(ServedKind kind, JsonObject body)
    {
        var name = (string?)body[Managed]!["name"] ?? "";
        if (!NameShape().IsMatch(name))
            throw ApiError.Invalid(kind, name, ("metadata.name", $"Invalid value: \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"));
        if (kind.Kind == "Lease")
        {
            foreach (var field in (string[])["acquireTime", "renewTime"])
            {
                if ((string?)body["spec"]?[field] is { } text && !MicroTime().IsMatch(text))
                    throw ApiError.BadRequest($"Lease in version \"v1\" cannot be handled as a Lease: parsing time \"{text}\" as \"2006-01-02T15:04:05.000000Z07:00\"");
            }
        }
        if (kind is { Kind: "Event", Group: "events.k8s.io" })
        {
            if ((string?)body["eventTime"] is not { } time || !MicroTime().IsMatch(time))
                throw ApiError.BadRequest("Event in version \"v1\" cannot be handled as a Event: parsing time as MicroTime");
            foreach (var field in (string[])["reportingController", "reportingInstance", "action", "reason"])
            {
                if (string.IsNullOrEmpty((string?)body[field]))
                    throw ApiError.Invalid(kind, name, (field, "Required value"));
            }
            if ((string?)body["type"] is not ("Normal" or "Warning"))
                throw ApiError.Invalid(kind, name, ("type", "Invalid value"));
            if (System.Text.Encoding.UTF8.GetByteCount((string?)body["note"] ?? "") > 1024)
                throw ApiError.Invalid(kind, name, ("note", "Invalid value: can have at most 1024 bytes"));
            if (body["regarding"]?["namespace"] is null && (string?)body[Managed]!["namespace"] != "default")
                throw ApiError.Invalid(kind, name, ("metadata.namespace", "Invalid value: does not match regarding.namespace"));
        }
        foreach (var conditions in (JsonArray?[])[body["status"]?["conditions"] as JsonArray])
        {
            if (conditions?.GroupBy(c => (string?)c?["type"], StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
                throw new ApiError(500, "InternalError", $"Internal error occurred: duplicate entries for key [type=\"{twice.Key}\"]");
        }
    }

    [GeneratedRegex("^[a-z0-9]([-a-z0-9.:]*[a-z0-9])?$")]
    private static partial Regex NameShape();

    [GeneratedRegex(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$")]
    private static partial Regex MicroTime();
}
