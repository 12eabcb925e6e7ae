using System.Text.Json.Nodes;

namespace Mesh.Testing.Kubernetes.Storage;

/// <summary>An answer that is not a success, as the real server words it.</summary>
public sealed class ApiError(int code, string reason, string message) : Exception(message)
{
    public int Code { get; } = code;
    public string Reason { get; } = reason;
    public JsonObject? Details { get; init; }

    /// <summary>Seconds.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>text/plain "404 page not found": the API itself is missing.</summary>
    public bool IsPlain { get; init; }

    public JsonObject ToStatus()
    {
        var status = new JsonObject { ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["status"] = "Failure", ["message"] = Message };
        if (Reason.Length > 0)
            status["reason"] = Reason;
        if (Details is not null)
            status["details"] = Details.DeepClone();
        status["code"] = Code;
        return status;
    }

    public static ApiError NoSuchApi() => new(404, "", "404 page not found") { IsPlain = true };

    public static ApiError NotFound(ServedKind kind, string name) => new(404, "NotFound", $"{kind.Name} \"{name}\" not found") { Details = DetailsOf(kind, name) };

    public static ApiError AlreadyExists(ServedKind kind, string name) => new(409, "AlreadyExists", $"{kind.Name} \"{name}\" already exists") { Details = DetailsOf(kind, name) };

    public static ApiError Conflict(ServedKind kind, string name, string why) =>
        new(409, "Conflict", $"Operation cannot be fulfilled on {kind.Name} \"{name}\": {why}") { Details = DetailsOf(kind, name) };

    public static ApiError BadRequest(string message) => new(400, "BadRequest", message);

    public static ApiError Invalid(ServedKind kind, string name, params (string Field, string Message)[] causes) =>
        new(422, "Invalid", $"{kind.Kind}.{kind.Group} \"{name}\" is invalid: {string.Join(", ", causes.Select(c => $"{c.Field}: {c.Message}"))}")
        {
            Details = new JsonObject
            {
                ["name"] = name,
                ["group"] = kind.Group,
                ["kind"] = kind.Kind,
                ["causes"] = new JsonArray([.. causes.Select(c => (JsonNode)new JsonObject { ["reason"] = "FieldValueInvalid", ["message"] = c.Message, ["field"] = c.Field })]),
            },
        };

    public static ApiError Forbidden(string user, string verb, ServedKind kind, string? ns) =>
        new(403, "Forbidden", $"{kind.Name} is forbidden: User \"{user}\" cannot {verb} resource \"{kind.Plural}\" in API group \"{kind.Group}\" {(ns is null ? "at the cluster scope" : $"in the namespace \"{ns}\"")}");

    public static ApiError Expired(ulong asked, ulong oldest) => new(410, "Expired", $"too old resource version: {asked} ({oldest})");

    private static JsonObject DetailsOf(ServedKind kind, string name)
    {
        var details = new JsonObject { ["name"] = name };
        if (kind.Group.Length > 0)
            details["group"] = kind.Group;
        details["kind"] = kind.Plural;
        return details;
    }
}
