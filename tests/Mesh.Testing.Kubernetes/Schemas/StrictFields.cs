using System.Reflection;
using System.Text.Json.Nodes;

namespace Mesh.Testing.Kubernetes.Schemas;

/// <summary>What an API server with fieldValidation=Strict would refuse: fields that a built-in kind does not have, or that have another shape (fields.txt).</summary>
public static class StrictFields
{
    private static readonly Dictionary<string, Dictionary<string, string>> _types = Read();

    /// <returns>One sentence for each mistake, with the path; none: the object is fine.</returns>
    public static IReadOnlyList<string> Check(JsonObject item)
    {
        ArgumentNullException.ThrowIfNull(item);
        var kind = $"{item["apiVersion"]}/{item["kind"]}";
        if (!_types.TryGetValue(kind, out var own))
            return [$"{kind} has no entry in fields.txt"];
        var mistakes = new List<string>();
        var known = new Dictionary<string, string>(own, StringComparer.Ordinal) { ["apiVersion"] = "", ["kind"] = "", ["metadata"] = "ObjectMeta" };
        Walk(item, known, $"{item["kind"]} {item["metadata"]?["name"]}", mistakes);
        return mistakes;
    }

    private static void Walk(JsonObject item, Dictionary<string, string> fields, string path, List<string> mistakes)
    {
        foreach (var (name, value) in item)
        {
            if (!fields.TryGetValue(name, out var type))
                mistakes.Add($"{path}: unknown field \"{name}\"");
            else
                Value(value, type, $"{path}.{name}", mistakes);
        }
    }

    private static void Value(JsonNode? value, string type, string path, List<string> mistakes)
    {
        switch (value)
        {
            case null:
            case not null when type == "any":
                break;
            case JsonArray list:
                for (var i = 0; i < list.Count; i++)
                    Value(list[i], type, $"{path}[{i}]", mistakes);
                break;
            case JsonObject map when type == "map":
                foreach (var (key, scalar) in map)
                {
                    if (scalar is not JsonValue)
                        mistakes.Add($"{path}.{key}: a scalar is expected");
                    else if (path.EndsWith("abels", StringComparison.Ordinal) || path.EndsWith("annotations", StringComparison.Ordinal) || path.EndsWith(".data", StringComparison.Ordinal))
                        Text(scalar, $"{path}.{key}", mistakes);
                }
                break;
            case JsonObject schemas when type == "JsonSchemas":
                foreach (var (key, schema) in schemas)
                    Value(schema, "JsonSchema", $"{path}.{key}", mistakes);
                break;
            case JsonObject inner when _types.TryGetValue(type, out var fields):
                Walk(inner, fields, path, mistakes);
                break;
            case JsonObject:
                mistakes.Add($"{path}: a scalar is expected");
                break;
            case JsonValue when type.Length > 0 && type != "JsonSchema":
                mistakes.Add($"{path}: a {type} is expected");
                break;
            case JsonValue text when path.EndsWith("].value", StringComparison.Ordinal) && path.Contains(".env[", StringComparison.Ordinal):
                Text(text, path, mistakes);
                break;
            default:
                break;
        }
    }

    /// <summary>YAML that forgot its quotes: true, 15020.</summary>
    private static void Text(JsonNode value, string path, List<string> mistakes)
    {
        if (value.GetValueKind() != System.Text.Json.JsonValueKind.String)
            mistakes.Add($"{path}: a string is expected, not {value.ToJsonString()}");
    }

    private static Dictionary<string, Dictionary<string, string>> Read()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("fields.txt")!;
        using var reader = new StreamReader(stream);
        var types = new Dictionary<string, Dictionary<string, string>>(StringComparer.Ordinal);
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith('#') || line.Length == 0)
                continue;
            var (name, fields) = line.Split(" =") is [var n, var f] ? (n, f) : throw new InvalidOperationException(line);
            types.Add(name, fields.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(w => w.Split(':')).ToDictionary(w => w[0], w => w.Length > 1 ? w[1] : "", StringComparer.Ordinal));
        }
        foreach (var type in types.Values.SelectMany(t => t.Values).Where(t => t is not ("" or "any" or "map" or "JsonSchemas")))
        {
            if (!types.ContainsKey(type))
                throw new InvalidOperationException($"fields.txt names the type {type} and does not define it");
        }
        return types;
    }
}
