using System.Text.Json;
using System.Text.Json.Nodes;

namespace Mesh.Testing.Kubernetes.Schemas;

/// <summary>The schema of a CustomResourceDefinition, as far as ours use it: types, properties, items, required, enum, and unknown fields refused unless they are preserved.</summary>
public static class StructuralSchema
{
    /// <returns>One sentence for each mistake; none: the document fits a version that the definition serves.</returns>
    public static IReadOnlyList<string> Check(JsonObject definition, JsonObject document)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentNullException.ThrowIfNull(document);
        var (group, version) = ((string)document["apiVersion"]!).Split('/') is [var g, var v] ? (g, v) : ("", (string)document["apiVersion"]!);
        var spec = definition["spec"]!;
        if ((string)spec["group"]! != group || (string)spec["names"]!["kind"]! != (string)document["kind"]!)
            return [$"{document["apiVersion"]} {document["kind"]} is not of this definition"];
        var served = spec["versions"]!.AsArray().FirstOrDefault(s => (string)s!["name"]! == version && (bool)s["served"]!);
        if (served is null)
            return [$"{version} of {document["kind"]} is not served"];
        var mistakes = new List<string>();
        var schema = served["schema"]!["openAPIV3Schema"]!.AsObject();
        foreach (var (name, value) in document.Where(f => f.Key is not ("apiVersion" or "kind" or "metadata")))
        {
            if (schema["properties"]?[name] is JsonObject field)
                Walk(value, field, name, mistakes);
            else
                mistakes.Add($"unknown field \"{name}\"");
        }
        return mistakes;
    }

    private static void Walk(JsonNode? value, JsonObject schema, string path, List<string> mistakes)
    {
        if (value is null)
            return;
        if ((string?)schema["type"] is { } type && !Fits(value, type) && (bool?)schema["x-kubernetes-int-or-string"] is not true)
        {
            mistakes.Add($"{path}: {type} is expected, not {value.GetValueKind()}");
            return;
        }
        if (schema["enum"] is JsonArray allowed && !allowed.Any(a => JsonNode.DeepEquals(a, value)))
            mistakes.Add($"{path}: {value.ToJsonString()} is none of {allowed.ToJsonString()}");
        if (value is JsonArray list && schema["items"] is JsonObject items)
        {
            for (var i = 0; i < list.Count; i++)
                Walk(list[i], items, $"{path}[{i}]", mistakes);
        }
        if (value is not JsonObject map)
            return;
        foreach (var required in (schema["required"] as JsonArray ?? []).Select(r => (string)r!).Where(r => !map.ContainsKey(r)))
            mistakes.Add($"{path}: {required} is missing");
        foreach (var (name, inner) in map)
        {
            if (schema["properties"]?[name] is JsonObject field)
                Walk(inner, field, $"{path}.{name}", mistakes);
            else if (schema["additionalProperties"] is JsonObject any)
                Walk(inner, any, $"{path}.{name}", mistakes);
            else if ((bool?)schema["x-kubernetes-preserve-unknown-fields"] is not true)
                mistakes.Add($"{path}: unknown field \"{name}\"");
        }
    }

    private static bool Fits(JsonNode value, string type) => (type, value.GetValueKind()) switch
    {
        ("object", JsonValueKind.Object) or ("array", JsonValueKind.Array) or ("string", JsonValueKind.String) or ("integer" or "number", JsonValueKind.Number) or ("boolean", JsonValueKind.True or JsonValueKind.False) => true,
        _ => false,
    };
}
