using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Mesh.Meshctl.Install.Charts;

/// <summary>The part of JSON Schema (draft 7) that values.schema.json uses. Helm checks the same file with a complete implementation.</summary>
internal static class ValuesSchema
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <returns>Every mistake, each with the path of the value; empty: all is well.</returns>
    public static List<string> Check(JsonObject schema, JsonObject values)
    {
        List<string> problems = [];
        Check(schema, schema, values, string.Empty, problems);
        return problems;
    }

    private static void Check(JsonObject root, JsonObject schema, JsonNode? value, string path, List<string> problems)
    {
        if (schema["$ref"]?.GetValue<string>() is { } reference)
            schema = root["definitions"]![reference["#/definitions/".Length..]]!.AsObject();
        if (schema["type"] is { } type && !Types(type).Any(t => t == TypeOf(value) || (t == "number" && TypeOf(value) == "integer")))
        {
            problems.Add($"{path} is {Shown(value)}; it must be {string.Join(" or ", Types(type))}");
            return;
        }

        if (schema["enum"] is JsonArray allowed && !allowed.Any(a => JsonNode.DeepEquals(a, value)))
            problems.Add($"{path} is {Shown(value)}; it must be one of {string.Join(", ", allowed.Select(Shown))}");
        if (schema["pattern"]?.GetValue<string>() is { } pattern && !Regex.IsMatch(value!.GetValue<string>(), pattern, RegexOptions.ExplicitCapture, Patience))
            problems.Add($"{path} is {Shown(value)}; it must match {pattern}");
        if (schema["minLength"]?.GetValue<int>() is { } shortest && value!.GetValue<string>().Length < shortest)
            problems.Add($"{path} is empty; it needs a value");
        if (schema["minimum"]?.GetValue<long>() is { } minimum && value!.GetValue<long>() < minimum)
            problems.Add($"{path} is {Shown(value)}; it must be at least {minimum}");
        if (value is JsonArray list && schema["items"] is JsonObject items)
        {
            for (var i = 0; i < list.Count; i++)
                Check(root, items, list[i], $"{path}[{i}]", problems);
        }

        if (value is JsonObject map)
            CheckMap(root, schema, map, path, problems);
    }

    private static void CheckMap(JsonObject root, JsonObject schema, JsonObject map, string path, List<string> problems)
    {
        var known = schema["properties"] as JsonObject ?? [];
        foreach (var (key, value) in map)
        {
            var place = path.Length == 0 ? key : $"{path}.{key}";
            if (known[key] is JsonObject property)
                Check(root, property, value, place, problems);
            else if (schema["additionalProperties"] is JsonObject others)
                Check(root, others, value, place, problems);
            else if (schema["additionalProperties"]?.GetValueKind() is JsonValueKind.False)
                problems.Add($"{place} is not a value of this chart{Similar(key, known)}");
        }
    }

    private static string Similar(string key, JsonObject known) =>
        known.Select(k => k.Key).FirstOrDefault(k => k.Equals(key, StringComparison.OrdinalIgnoreCase) || Spelling.Distance(k, key) <= 2) is { } near ? $"; did you mean {near}?" : string.Empty;

    private static string[] Types(JsonNode type) => type is JsonArray several ? [.. several.Select(t => t!.GetValue<string>())] : [type.GetValue<string>()];

    private static string TypeOf(JsonNode? value) => value switch
    {
        null => "null",
        JsonObject => "object",
        JsonArray => "array",
        _ => value.GetValueKind() switch
        {
            JsonValueKind.True or JsonValueKind.False => "boolean",
            JsonValueKind.Number => value.ToJsonString().AsSpan().IndexOfAny('.', 'e', 'E') < 0 ? "integer" : "number",
            _ => "string",
        },
    };

    private static string Shown(JsonNode? value) => value?.ToJsonString() ?? "nothing";
}
