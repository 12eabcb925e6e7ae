using System.Text.Json.Nodes;
using Mesh.Testing.Kubernetes.Storage;

namespace Mesh.Testing.Kubernetes.Access;

/// <summary>Questions that are asked by creating an object.</summary>
internal sealed class Reviews(Tokens tokens, RoleAuthorizer authorization)
{
    public JsonObject Answer(ServedKind kind, JsonObject question, ApiUser asker)
    {
        var answer = (JsonObject)question.DeepClone();
        answer["metadata"] ??= new JsonObject();
        answer["status"] = kind.Kind switch
        {
            "TokenReview" => ReviewToken(question),
            "SelfSubjectReview" => new JsonObject { ["userInfo"] = Describe(asker) },
            "SubjectAccessReview" => ReviewAccess(question, new ApiUser((string?)question["spec"]?["user"] ?? "",
                [.. (question["spec"]?["groups"] as JsonArray ?? []).Select(g => (string)g!), "system:authenticated"])),
            "SelfSubjectAccessReview" => ReviewAccess(question, asker),
            _ => throw ApiError.NoSuchApi(),
        };
        return answer;
    }

    private JsonObject ReviewToken(JsonObject question)
    {
        var token = (string?)question["spec"]?["token"];
        if (string.IsNullOrEmpty(token))
            throw ApiError.BadRequest("token is required for TokenReview in authentication");
        var (user, audiences, error) = tokens.Verify(token, [.. (question["spec"]?["audiences"] as JsonArray ?? []).Select(a => (string)a!)]);
        if (user is null || audiences.Count == 0)
            return new JsonObject { ["user"] = new JsonObject(), ["error"] = error.Length > 0 ? error : "[invalid bearer token]" };
        return new JsonObject { ["authenticated"] = true, ["user"] = Describe(user), ["audiences"] = new JsonArray([.. audiences.Select(a => (JsonNode)a)]) };
    }

    private JsonObject ReviewAccess(JsonObject question, ApiUser user)
    {
        var asked = question["spec"]?["resourceAttributes"];
        string Of(string name) => (string?)asked?[name] ?? "";
        var allowed = authorization.Allows(user, Of("verb"), Of("group"), Of("resource"), Of("subresource"), Of("namespace"), Of("name"));
        return allowed ? new JsonObject { ["allowed"] = true, ["reason"] = "RBAC: allowed" } : new JsonObject { ["allowed"] = false };
    }

    private static JsonObject Describe(ApiUser user)
    {
        var extra = new JsonObject();
        foreach (var (name, value) in user.Extra)
            extra[name] = new JsonArray(value);
        return new JsonObject { ["username"] = user.Name, ["uid"] = user.Uid, ["groups"] = new JsonArray([.. user.Groups.Select(g => (JsonNode)g)]), ["extra"] = extra };
    }
}
