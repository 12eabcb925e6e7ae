using System.Text.Json;
using System.Text.Json.Nodes;

namespace Mesh.Testing.Kubernetes.Storage;

/// <summary>
/// Paths of fields, as managedFields records them: f:name for a field, k:{...} for an item of a list that is a map by keys, v:... for an item of a set.
/// Lists of other fields are one value.
/// </summary>
internal sealed class FieldSet
{
    private const char Separator = '\u0001';

    public HashSet<string> Paths { get; } = new(StringComparer.Ordinal);

    private static readonly string[] _bookkeeping = ["name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "managedFields", "selfLink"];

    public static FieldSet Of(JsonObject body)
    {
        var set = new FieldSet();
        foreach (var (name, value) in body)
        {
            if (name is "apiVersion" or "kind")
                continue;
            if (name is "metadata" && value is JsonObject metadata)
            {
                foreach (var (field, inner) in metadata.Where(m => !_bookkeeping.Contains(m.Key, StringComparer.Ordinal)))
                    set.Add($"f:metadata{Separator}f:{field}", field, inner);
                continue;
            }
            set.Add("f:" + name, name, value);
        }
        return set;
    }

    private void Add(string path, string field, JsonNode? value)
    {
        switch (value)
        {
            case JsonObject { Count: > 0 } map when !IsAtomic(path, field):
                foreach (var (name, inner) in map)
                    Add($"{path}{Separator}f:{name}", name, inner);
                break;
            case JsonArray { Count: > 0 } list when field == "finalizers":
                foreach (var item in list)
                    Paths.Add($"{path}{Separator}v:{item!.ToJsonString()}");
                break;
            case JsonArray { Count: > 0 } list when KeysOf(field, list) is { } keys:
                foreach (var item in list.OfType<JsonObject>())
                {
                    var at = $"{path}{Separator}k:{KeyOf(item, keys).ToJsonString()}";
                    Paths.Add($"{at}{Separator}.");
                    foreach (var (name, inner) in item)
                        Add($"{at}{Separator}f:{name}", name, inner);
                }
                break;
            default:
                Paths.Add(path);
                break;
        }
    }

    // Selectors and resource names are replaced whole.
    private static bool IsAtomic(string path, string field) => field is "selector" && path.Contains("f:spec", StringComparison.Ordinal);

    /// <summary>The fields by which items of a list are told apart; null: the list is one value.</summary>
    public static string[]? KeysOf(string field, JsonArray list)
    {
        string[]? keys = field switch
        {
            "conditions" => ["type"],
            "containers" or "initContainers" or "volumes" or "env" or "imagePullSecrets" or "listeners" or "webhooks" or "secrets" => ["name"],
            "volumeMounts" => ["mountPath"],
            "ownerReferences" => ["uid"],
            "ports" when list.All(p => p?["containerPort"] is not null) => ["containerPort", "protocol"],
            "ports" when list.All(p => p?["port"] is not null) => ["port", "protocol"],
            _ => null,
        };
        return keys is not null && list.All(i => i is JsonObject o && o[keys[0]] is not null) ? keys : null;
    }

    public static JsonObject KeyOf(JsonObject item, string[] keys)
    {
        var key = new JsonObject();
        foreach (var name in keys)
            key[name] = item[name]?.DeepClone() ?? (name == "protocol" ? "TCP" : null);
        return key;
    }

    public JsonObject ToJson()
    {
        var root = new JsonObject();
        foreach (var path in Paths.Order(StringComparer.Ordinal))
        {
            var at = root;
            foreach (var step in path.Split(Separator))
            {
                if (at[step] is not JsonObject next)
                    at[step] = next = [];
                at = next;
            }
        }
        return root;
    }

    public static FieldSet FromJson(JsonObject? json)
    {
        var set = new FieldSet();
        void Walk(JsonObject at, string path)
        {
            foreach (var (step, inner) in at)
            {
                var next = path.Length == 0 ? step : $"{path}{Separator}{step}";
                if (inner is JsonObject { Count: > 0 } deeper)
                    Walk(deeper, next);
                else
                    set.Paths.Add(next);
            }
        }
        if (json is not null)
            Walk(json, "");
        return set;
    }

    /// <summary>Whether one of two paths holds the other: a list that one manager owns whole and another owns an item of.</summary>
    public bool Owns(string path) => Paths.Contains(path);

    public static JsonNode? ValueAt(JsonObject body, string path)
    {
        JsonNode? at = body;
        foreach (var step in path.Split(Separator))
        {
            if (step == ".")
                return at is null ? null : true;
            at = Step(at, step);
            if (at is null)
                return null;
        }
        return at;
    }

    public static void Remove(JsonObject body, string path)
    {
        var steps = path.Split(Separator);
        RemoveAt(body, steps, 0);
    }

    private static void RemoveAt(JsonNode? at, string[] steps, int index)
    {
        var step = steps[index];
        var last = index == steps.Length - 1 || steps[index + 1] == ".";
        var child = Step(at, step);
        if (child is null)
            return;
        if (!last)
        {
            RemoveAt(child, steps, index + 1);
            // A parent that nobody fills any more goes with its last field.
            if (step.StartsWith("f:", StringComparison.Ordinal) && child is JsonObject { Count: 0 } or JsonArray { Count: 0 })
                (at as JsonObject)?.Remove(step[2..]);
            return;
        }
        if (at is JsonObject map)
            map.Remove(step[2..]);
        else if (at is JsonArray list)
            list.Remove(child);
    }

    private static JsonNode? Step(JsonNode? at, string step)
    {
        if (step.StartsWith("f:", StringComparison.Ordinal))
            return (at as JsonObject)?[step[2..]];
        if (at is not JsonArray list)
            return null;
        var wanted = JsonNode.Parse(step[2..]);
        return step.StartsWith("v:", StringComparison.Ordinal)
            ? list.FirstOrDefault(i => JsonNode.DeepEquals(i, wanted))
            : list.FirstOrDefault(i => i is JsonObject o && JsonNode.DeepEquals(KeyOf(o, [.. ((JsonObject)wanted!).Select(k => k.Key)]), wanted));
    }

    /// <summary>spec.ports, for messages.</summary>
    public static string Readable(string path) => "." + string.Join('.', path.Split(Separator).Where(s => s != ".").Select(s => s[2..]));
}
