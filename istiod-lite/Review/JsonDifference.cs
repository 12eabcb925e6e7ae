using System.Text.Json.Nodes;

namespace Mesh.IstiodLite.Review;

/// <summary>One place where two JSON values differ. Null: it is not there.</summary>
/// <param name="Path">As people write it: "waypoint.hostname.hostname", "endpoints[2].healthy".</param>
internal sealed record JsonDifference(string Path, JsonNode? Old, JsonNode? New)
{
    public override string ToString() => $"{Path}: {Text(Old)} -> {Text(New)}";

    /// <summary>The smallest differing parts, in the order of the old value. Lists are compared place by place.</summary>
    public static IEnumerable<JsonDifference> Between(JsonNode? old, JsonNode? renewed, string path = "")
    {
        if (JsonNode.DeepEquals(old, renewed))
            return [];
        return (old, renewed) switch
        {
            (JsonObject a, JsonObject b) => a.Select(p => p.Key).Union(b.Select(p => p.Key), StringComparer.Ordinal)
                .SelectMany(key => Between(a[key], b[key], path.Length == 0 ? key : $"{path}.{key}")),
            (JsonArray a, JsonArray b) when a.Count == b.Count => Enumerable.Range(0, a.Count).SelectMany(i => Between(a[i], b[i], $"{path}[{i}]")),
            _ => [new JsonDifference(path, old, renewed)],
        };
    }

    private static string Text(JsonNode? node) => node is null ? "nothing" : node.ToJsonString();
}
