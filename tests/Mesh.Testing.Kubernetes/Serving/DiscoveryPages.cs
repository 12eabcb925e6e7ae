using System.Text.Json.Nodes;
using Mesh.Testing.Kubernetes.Storage;

namespace Mesh.Testing.Kubernetes.Serving;

/// <summary>The documents from which clients learn what is served.</summary>
internal static class DiscoveryPages
{
    private static readonly string[] _verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

    /// <summary>Null: the path is no discovery document.</summary>
    public static JsonObject? Find(ApiStore store, string path) => path.Trim('/').Split('/') switch
    {
        ["version"] => new JsonObject { ["major"] = "1", ["minor"] = "36", ["gitVersion"] = "v1.36.1", ["platform"] = "linux/amd64" },
        ["api"] => new JsonObject { ["kind"] = "APIVersions", ["versions"] = new JsonArray("v1") },
        ["apis"] => new JsonObject { ["kind"] = "APIGroupList", ["apiVersion"] = "v1", ["groups"] = new JsonArray([.. Groups(store).Select(g => (JsonNode)Group(g))]) },
        ["api", var version] => Resources(store, "", version),
        ["apis", var group] => Groups(store).FirstOrDefault(g => g.Key == group) is { } found ? Group(found, single: true) : throw ApiError.NoSuchApi(),
        ["apis", var group, var version] => Resources(store, group, version),
        ["openapi", "v3"] => new JsonObject { ["paths"] = new JsonObject(Groups(store).SelectMany(g => g.SelectMany(k => k.Versions).Distinct().Select(v => $"apis/{g.Key}/{v}")).Append("api/v1")
            .Select(p => new KeyValuePair<string, JsonNode?>(p, new JsonObject { ["serverRelativeURL"] = $"/openapi/v3/{p}?hash=0" }))) },
        ["openapi", "v3", "api", var version] => OpenApi(store, "", version),
        ["openapi", "v3", "apis", var group, var version] => OpenApi(store, group, version),
        _ => null,
    };

    private static IEnumerable<IGrouping<string, ServedKind>> Groups(ApiStore store) => store.Kinds.Where(k => k.Group.Length > 0).GroupBy(k => k.Group, StringComparer.Ordinal);

    private static JsonObject Group(IGrouping<string, ServedKind> group, bool single = false)
    {
        var versions = group.SelectMany(k => k.Versions).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        JsonObject Entry(string version) => new() { ["groupVersion"] = $"{group.Key}/{version}", ["version"] = version };
        var result = new JsonObject { ["name"] = group.Key, ["versions"] = new JsonArray([.. versions.Select(v => (JsonNode)Entry(v))]), ["preferredVersion"] = Entry(versions[0]) };
        if (single)
        {
            result["kind"] = "APIGroup";
            result["apiVersion"] = "v1";
        }
        return result;
    }

    private static JsonObject Resources(ApiStore store, string group, string version)
    {
        var kinds = store.Kinds.Where(k => k.Group == group && k.Versions.Contains(version, StringComparer.Ordinal)).ToList();
        if (kinds.Count == 0)
            throw ApiError.NoSuchApi();
        var resources = new JsonArray();
        foreach (var kind in kinds)
        {
            var verbs = kind.IsQuestion ? ["create"] : _verbs;
            resources.Add(new JsonObject
            {
                ["name"] = kind.Plural,
                ["singularName"] = kind.Singular,
                ["namespaced"] = kind.Namespaced,
                ["kind"] = kind.Kind,
                ["verbs"] = new JsonArray([.. verbs.Select(v => (JsonNode)v)]),
                ["shortNames"] = new JsonArray([.. kind.ShortNames.Select(n => (JsonNode)n)]),
            });
            if (kind.HasStatus && !kind.IsQuestion)
                resources.Add(new JsonObject { ["name"] = $"{kind.Plural}/status", ["singularName"] = "", ["namespaced"] = kind.Namespaced, ["kind"] = kind.Kind, ["verbs"] = new JsonArray("get", "patch", "update") });
        }
        return new JsonObject { ["kind"] = "APIResourceList", ["apiVersion"] = "v1", ["groupVersion"] = group.Length == 0 ? version : $"{group}/{version}", ["resources"] = resources };
    }

    /// <summary>As much as kubectl needs to see that the server checks fields itself: no schemas.</summary>
    private static JsonObject OpenApi(ApiStore store, string group, string version)
    {
        var paths = new JsonObject();
        JsonArray Parameters() => new(
            new JsonObject { ["name"] = "dryRun", ["in"] = "query", ["schema"] = new JsonObject { ["type"] = "string" } },
            new JsonObject { ["name"] = "fieldValidation", ["in"] = "query", ["schema"] = new JsonObject { ["type"] = "string" } });
        foreach (var kind in store.Kinds.Where(k => k.Group == group && k.Versions.Contains(version, StringComparer.Ordinal)))
        {
            var root = group.Length == 0 ? $"/api/{version}" : $"/apis/{group}/{version}";
            var path = kind.Namespaced ? $"{root}/namespaces/{{namespace}}/{kind.Plural}/{{name}}" : $"{root}/{kind.Plural}/{{name}}";
            paths[path] = new JsonObject
            {
                ["patch"] = new JsonObject
                {
                    ["x-kubernetes-action"] = "patch",
                    ["x-kubernetes-group-version-kind"] = new JsonObject { ["group"] = group, ["version"] = version, ["kind"] = kind.Kind },
                    ["parameters"] = Parameters(),
                    ["responses"] = new JsonObject { ["200"] = new JsonObject { ["description"] = "OK" } },
                },
            };
        }
        return new JsonObject { ["openapi"] = "3.0.0", ["info"] = new JsonObject { ["title"] = "Kubernetes", ["version"] = "v1.36.1" }, ["paths"] = paths, ["components"] = new JsonObject { ["schemas"] = new JsonObject() } };
    }
}
