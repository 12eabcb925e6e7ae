using System.Text.Json.Nodes;

namespace Mesh.Testing.Kubernetes.Storage;

/// <summary>Server-side apply and the ownership of fields. Works on copies; the live object is never changed.</summary>
internal static class FieldManagement
{
    private sealed record Manager(string Name, string Operation, string Subresource, FieldSet Fields);

    /// <summary>Null as <paramref name="live"/>: the object is created.</summary>
    public static JsonObject Apply(ServedKind kind, JsonObject? live, JsonObject applied, string manager, bool force, string subresource, string now)
    {
        var managers = Read(live);
        var wanted = FieldSet.Of(applied);
        var mine = managers.Find(m => m.Name == manager && m.Operation == "Apply" && m.Subresource == subresource);
        if (live is not null)
            Settle(kind, live, applied, wanted, managers, mine, force);

        var merged = live is null ? (JsonObject)applied.DeepClone() : Merge(live, applied);
        if (mine is not null)
        {
            var others = managers.Where(m => m != mine).ToList();
            // Items of lists go whole once their mark goes; the longest paths first.
            foreach (var path in mine.Fields.Paths.Except(wanted.Paths, StringComparer.Ordinal).OrderByDescending(p => p.Length))
            {
                if (!others.Exists(o => o.Fields.Owns(path)))
                    FieldSet.Remove(merged, path);
            }
            managers.Remove(mine);
        }
        managers.Add(new Manager(manager, "Apply", subresource, wanted));
        Write(merged, managers, applied, now);
        return merged;
    }

    /// <summary>An ordinary write: what it changed belongs to the writer now.</summary>
    public static void Track(JsonObject? before, JsonObject after, string manager, string subresource, string now)
    {
        var managers = Read(before);
        var all = FieldSet.Of(after);
        var changed = all.Paths.Where(p => before is null || !JsonNode.DeepEquals(FieldSet.ValueAt(before, p), FieldSet.ValueAt(after, p))).ToList();
        foreach (var other in managers)
            other.Fields.Paths.RemoveWhere(p => changed.Contains(p, StringComparer.Ordinal) || FieldSet.ValueAt(after, p) is null);
        if (changed.Count > 0)
        {
            var mine = managers.Find(m => m.Name == manager && m.Operation == "Update" && m.Subresource == subresource);
            if (mine is null)
                managers.Add(mine = new Manager(manager, "Update", subresource, new FieldSet()));
            mine.Fields.Paths.UnionWith(changed);
        }
        Write(after, managers, after, now);
    }

    private static void Settle(ServedKind kind, JsonObject live, JsonObject applied, FieldSet wanted, List<Manager> managers, Manager? mine, bool force)
    {
        var conflicts = new List<(string Path, string Manager)>();
        foreach (var path in wanted.Paths)
        {
            if (path.EndsWith("\u0001.", StringComparison.Ordinal) || JsonNode.DeepEquals(FieldSet.ValueAt(live, path), FieldSet.ValueAt(applied, path)))
                continue;
            foreach (var other in managers.Where(m => m != mine && m.Fields.Owns(path)))
            {
                conflicts.Add((path, other.Name));
                if (force)
                    other.Fields.Paths.Remove(path);
            }
        }
        if (conflicts.Count == 0 || force)
            return;
        var name = (string?)live["metadata"]?["name"] ?? "";
        throw new ApiError(409, "Conflict", $"Apply failed with {conflicts.Count} conflict{(conflicts.Count > 1 ? "s" : "")}: {string.Join(", ", conflicts.Select(c => $"conflict with \"{c.Manager}\": {FieldSet.Readable(c.Path)}"))}")
        {
            Details = new JsonObject
            {
                ["name"] = name,
                ["kind"] = kind.Plural,
                ["causes"] = new JsonArray([.. conflicts.Select(c => (JsonNode)new JsonObject
                {
                    ["reason"] = "FieldManagerConflict",
                    ["message"] = $"conflict with \"{c.Manager}\"",
                    ["field"] = FieldSet.Readable(c.Path),
                })]),
            },
        };
    }

    private static JsonObject Merge(JsonObject live, JsonObject applied)
    {
        var result = (JsonObject)live.DeepClone();
        foreach (var (name, value) in applied)
            result[name] = MergeValue(name, result[name], value);
        return result;
    }

    private static JsonNode? MergeValue(string field, JsonNode? live, JsonNode? applied)
    {
        if (live is JsonObject a && applied is JsonObject b && field is not "selector")
            return Merge(a, b);
        if (live is not JsonArray old || applied is not JsonArray list || FieldSet.KeysOf(field, list) is not { } keys)
            return applied?.DeepClone();
        var merged = (JsonArray)old.DeepClone();
        foreach (var item in list.OfType<JsonObject>())
        {
            var key = FieldSet.KeyOf(item, keys);
            var at = merged.Select((node, index) => (node, index)).FirstOrDefault(e => e.node is JsonObject o && JsonNode.DeepEquals(FieldSet.KeyOf(o, keys), key), (null, -1)).index;
            if (at < 0)
                merged.Add(item.DeepClone());
            else
                merged[at] = Merge((JsonObject)merged[at]!, item);
        }
        return merged;
    }

    private static List<Manager> Read(JsonObject? body)
    {
        var managers = new List<Manager>();
        foreach (var entry in body?["metadata"]?["managedFields"] as JsonArray ?? [])
            managers.Add(new Manager((string)entry!["manager"]!, (string)entry["operation"]!, (string?)entry["subresource"] ?? "", FieldSet.FromJson(entry["fieldsV1"] as JsonObject)));
        return managers;
    }

    private static void Write(JsonObject body, List<Manager> managers, JsonObject writer, string now)
    {
        var entries = new JsonArray();
        foreach (var manager in managers.Where(m => m.Fields.Paths.Count > 0))
        {
            var entry = new JsonObject
            {
                ["manager"] = manager.Name,
                ["operation"] = manager.Operation,
                ["apiVersion"] = (string?)writer["apiVersion"],
                ["time"] = now,
                ["fieldsType"] = "FieldsV1",
                ["fieldsV1"] = manager.Fields.ToJson(),
            };
            if (manager.Subresource.Length > 0)
                entry["subresource"] = manager.Subresource;
            entries.Add(entry);
        }
        var metadata = (JsonObject)body["metadata"]!;
        metadata.Remove("managedFields");
        if (entries.Count > 0)
            metadata["managedFields"] = entries;
    }
}
