using System.Globalization;
using System.Text.Json.Nodes;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Leadership;

/// <summary>
/// What a person wants different in the objects of a waypoint: a ConfigMap with the keys deployment, service, serviceAccount, horizontalPodAutoscaler and
/// podDisruptionBudget, each a strategic merge patch (reference: istiod 5.4).
/// </summary>
internal sealed class WaypointOverlay
{
    private readonly Dictionary<string, JsonObject> _patches = new(StringComparer.Ordinal);

    /// <param name="data">Of the ConfigMap.</param>
    /// <param name="report">Gets what is wrong with a key; the others count all the same.</param>
    public WaypointOverlay(IReadOnlyDictionary<string, string> data, Action<string> report)
    {
        foreach (var key in (ReadOnlySpan<string>)["deployment", "service", "serviceAccount", "horizontalPodAutoscaler", "podDisruptionBudget"])
        {
            if (!data.TryGetValue(key, out var text))
                continue;
            try
            {
                if (YamlDocumentReader.Read(text, 1) is { } root)
                    _patches[key] = ToJson(root) as JsonObject ?? throw new YamlSyntaxException(1, "it is no object");
            }
            catch (YamlSyntaxException e)
            {
                report($"{key}, line {e.Line}: {e.Message}");
            }
        }
    }

    public JsonObject? For(string key) => _patches.GetValueOrDefault(key);

    /// <summary>Objects merge field by field, null deletes, lists of named things merge by their key, other lists are replaced.</summary>
    public static JsonObject Merge(JsonObject target, JsonObject patch)
    {
        var result = (JsonObject)target.DeepClone();
        foreach (var (name, value) in patch)
        {
            if (value is null)
                result.Remove(name);
            else
                result[name] = (result[name], value) switch
                {
                    (JsonObject map, JsonObject changes) => Merge(map, changes),
                    (JsonArray list, JsonArray items) when KeyOf(name, items) is { } key => MergeList(list, items, key),
                    _ => value.DeepClone(),
                };
        }
        return result;
    }

    private static JsonArray MergeList(JsonArray target, JsonArray items, string key)
    {
        var result = (JsonArray)target.DeepClone();
        foreach (var item in items.OfType<JsonObject>())
        {
            var at = result.Select((node, index) => (node, index)).FirstOrDefault(e => JsonNode.DeepEquals(e.node?[key], item[key]), (null, -1)).index;
            if ((string?)item["$patch"] == "delete")
            {
                if (at >= 0)
                    result.RemoveAt(at);
            }
            else if (at < 0)
            {
                result.Add(item.DeepClone());
            }
            else
            {
                result[at] = Merge((JsonObject)result[at]!, item);
            }
        }
        return result;
    }

    private static string? KeyOf(string list, JsonArray items)
    {
        var key = list switch
        {
            "containers" or "initContainers" or "volumes" or "env" or "imagePullSecrets" => "name",
            "volumeMounts" => "mountPath",
            "ports" => items.All(i => i?["containerPort"] is not null) ? "containerPort" : "port",
            _ => null,
        };
        return key is not null && items.All(i => i is JsonObject o && o[key] is not null) ? key : null;
    }

    private static JsonNode? ToJson(YamlNode node) => node switch
    {
        YamlMapping map => new JsonObject(map.Entries.Select(e => new KeyValuePair<string, JsonNode?>(e.Key.Text, ToJson(e.Value)))),
        YamlSequence list => new JsonArray([.. list.Items.Select(ToJson)]),
        YamlScalar { IsNull: true } => null,
        YamlScalar { Bool: { } flag } => flag,
        YamlScalar { IsPlain: true } scalar when long.TryParse(scalar.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) => number,
        YamlScalar { IsNumberOrBool: true } scalar when double.TryParse(scalar.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => number,
        YamlScalar scalar => scalar.Text,
        _ => null,
    };
}
