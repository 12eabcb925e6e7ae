using System.Globalization;
using System.Text.Json.Nodes;

namespace Mesh.Testing.Kubernetes.Storage;

/// <summary>JSON merge patch (RFC 7396), JSON patch (RFC 6902) and strategic merge patch.</summary>
internal static class Patching
{
    public static JsonNode? Merge(JsonNode? target, JsonNode? patch)
    {
        if (patch is not JsonObject changes)
            return patch?.DeepClone();
        var result = target is JsonObject old ? (JsonObject)old.DeepClone() : [];
        foreach (var (name, value) in changes)
        {
            if (value is null)
                result.Remove(name);
            else
                result[name] = Merge(result[name], value);
        }
        return result;
    }

    /// <summary>As merge, but lists that are maps merge by key, and $patch: delete removes an item.</summary>
    public static JsonNode? Strategic(string field, JsonNode? target, JsonNode? patch)
    {
        if (patch is JsonArray list && target is JsonArray old && FieldSet.KeysOf(field, list) is { } keys)
        {
            var merged = (JsonArray)old.DeepClone();
            foreach (var item in list.OfType<JsonObject>())
            {
                var key = FieldSet.KeyOf(item, keys);
                var known = merged.OfType<JsonObject>().FirstOrDefault(o => JsonNode.DeepEquals(FieldSet.KeyOf(o, keys), key));
                if ((string?)item["$patch"] == "delete")
                    merged.Remove(known);
                else if (known is null)
                    merged.Add(item.DeepClone());
                else
                    merged[merged.IndexOf(known)] = Strategic("", known, item);
            }
            return merged;
        }
        if (patch is not JsonObject changes)
            return patch?.DeepClone();
        var result = target is JsonObject map ? (JsonObject)map.DeepClone() : [];
        foreach (var (name, value) in changes.Where(c => !c.Key.StartsWith('$')))
        {
            if (value is null)
                result.Remove(name);
            else
                result[name] = Strategic(name, result[name], value);
        }
        return result;
    }

    public static JsonObject Operations(JsonObject target, JsonArray operations)
    {
        var result = (JsonObject)target.DeepClone();
        foreach (var operation in operations)
        {
            var path = ((string)operation!["path"]!).Split('/').Skip(1).Select(p => p.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)).ToList();
            var parent = path.SkipLast(1).Aggregate((JsonNode?)result, (at, step) => at is JsonArray l ? l[int.Parse(step, CultureInfo.InvariantCulture)] : at?[step])
                ?? throw new ApiError(422, "Invalid", "the server rejected our request due to an error in our request");
            var last = path[^1];
            switch ((string)operation["op"]!)
            {
                case "add" when parent is JsonArray list:
                    if (last == "-")
                        list.Add(operation["value"]?.DeepClone());
                    else
                        list.Insert(int.Parse(last, CultureInfo.InvariantCulture), operation["value"]?.DeepClone());
                    break;
                case "add" or "replace":
                    if (parent is JsonArray at)
                        at[int.Parse(last, CultureInfo.InvariantCulture)] = operation["value"]?.DeepClone();
                    else
                        parent[last] = operation["value"]?.DeepClone();
                    break;
                case "remove":
                    if (parent is JsonArray items)
                        items.RemoveAt(int.Parse(last, CultureInfo.InvariantCulture));
                    else
                        ((JsonObject)parent).Remove(last);
                    break;
                case "test":
                    if (!JsonNode.DeepEquals(parent is JsonArray tested ? tested[int.Parse(last, CultureInfo.InvariantCulture)] : parent[last], operation["value"]))
                        throw new ApiError(422, "Invalid", "the server rejected our request due to an error in our request");
                    break;
                default:
                    throw ApiError.BadRequest($"unknown patch operation {operation["op"]}");
            }
        }
        return result;
    }
}
