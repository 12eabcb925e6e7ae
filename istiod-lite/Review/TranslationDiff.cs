using System.Text.Json.Nodes;
using Mesh.IstiodLite.Admin;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Review;

internal enum ChangeKind
{
    Added,
    Changed,
    Removed,
}

/// <summary>One resource that clients would be sent anew, or lose.</summary>
/// <param name="Type">"workload", "service", "authorization", "status", or "service", "cluster" and "policy" of a waypoint.</param>
/// <param name="For">Who is concerned, as people say it.</param>
internal sealed record ResourceDifference(string Type, string Name, ChangeKind Kind, string For, IReadOnlyList<JsonDifference> Fields);

/// <summary>What would change for whom between two translations.</summary>
internal sealed class TranslationDiff
{
    private const int MostNamed = 5;

    private TranslationDiff(IReadOnlyList<ResourceDifference> changes) => Changes = changes;

    public IReadOnlyList<ResourceDifference> Changes { get; }

    /// <param name="old">Null: there was nothing before.</param>
    /// <param name="renewed">What would be in force.</param>
    public static TranslationDiff Between(Translated? old, Translated renewed)
    {
        var changes = new List<ResourceDifference>();
        Add(changes, old is null ? [] : TranslationJson.Addresses(old), TranslationJson.Addresses(renewed), AddressType, n => AddressAudience(n, old, renewed));
        Add(changes, old is null ? [] : TranslationJson.Authorizations(old), TranslationJson.Authorizations(renewed), _ => "authorization", n => PolicyAudience(n, old, renewed));
        Add(changes, Named(old), Named(renewed), _ => "status", _ => "whoever reads the status");
        foreach (var id in (old?.Waypoints.Keys ?? []).Union(renewed.Waypoints.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            var (a, b) = (old?.Waypoints.GetValueOrDefault(id), renewed.Waypoints.GetValueOrDefault(id));
            Add(changes, Flat(a?.Services), Flat(b?.Services), _ => "waypoint service", _ => $"waypoint {id}");
            Add(changes, Flat(a?.Clusters), Flat(b?.Clusters), _ => "waypoint cluster", _ => $"waypoint {id}");
            Add(changes, Flat(a?.Policies), Flat(b?.Policies), _ => "waypoint policy", _ => $"waypoint {id}");
        }
        return new TranslationDiff(changes);
    }

    public JsonObject ToJson() => new()
    {
        ["changes"] = new JsonArray([.. Changes.Select(c => new JsonObject
        {
            ["type"] = c.Type,
            ["name"] = c.Name,
            ["change"] = Word(c.Kind),
            ["for"] = c.For,
            ["fields"] = new JsonArray([.. c.Fields.Select(f => new JsonObject { ["path"] = f.Path, ["old"] = f.Old?.DeepClone(), ["new"] = f.New?.DeepClone() })]),
        })]),
    };

    public void Write(TextWriter output)
    {
        if (Changes.Count == 0)
            output.WriteLine("nothing changes for anybody");
        foreach (var change in Changes)
        {
            var sign = change.Kind switch { ChangeKind.Added => '+', ChangeKind.Removed => '-', _ => '~' };
            output.WriteLine($"{sign} {change.Type} {change.Name}, for {change.For}");
            foreach (var field in change.Fields)
                output.WriteLine($"    {field}");
        }
    }

    private static string Word(ChangeKind kind) => kind switch { ChangeKind.Added => "added", ChangeKind.Removed => "removed", _ => "changed" };

    private static void Add(List<ResourceDifference> changes, JsonArray old, JsonArray renewed, Func<JsonNode, string> type, Func<string, string> audience)
    {
        var before = old.ToDictionary(n => (string)n!["name"]!, n => n!, StringComparer.Ordinal);
        var after = renewed.ToDictionary(n => (string)n!["name"]!, n => n!, StringComparer.Ordinal);
        foreach (var name in before.Keys.Union(after.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            var (a, b) = (before.GetValueOrDefault(name), after.GetValueOrDefault(name));
            if (JsonNode.DeepEquals(a, b))
                continue;
            var kind = a is null ? ChangeKind.Added : b is null ? ChangeKind.Removed : ChangeKind.Changed;
            IReadOnlyList<JsonDifference> fields = kind is ChangeKind.Changed ? [.. JsonDifference.Between(a!["resource"], b!["resource"])] : [];
            changes.Add(new ResourceDifference(type((b ?? a)!), name, kind, audience(name), fields));
        }
    }

    private static string AddressType(JsonNode address) => address["resource"]!["workload"] is null ? "service" : "workload";

    private static string AddressAudience(string name, Translated? old, Translated renewed)
    {
        var address = (renewed.Addresses.GetValueOrDefault(name) ?? old?.Addresses.GetValueOrDefault(name))!.Address;
        if (address.Workload is { } workload)
            return workload.Node.Length > 0 ? $"itself on node {workload.Node} and every client of it" : "every client of it";
        var serving = renewed.Addresses.Values.Where(a => a.Address.Workload?.Services.ContainsKey(name) is true).Select(a => a.Name);
        return $"every client of it, and what serves it ({List(serving)})";
    }

    private static string PolicyAudience(string name, Translated? old, Translated renewed)
    {
        var policy = renewed.Authorizations.GetValueOrDefault(name) ?? old!.Authorizations[name];
        return policy.Scope switch
        {
            Istio.Security.Scope.Global => "every workload",
            Istio.Security.Scope.Namespace => $"every workload of the namespace {policy.Namespace}",
            _ => $"what it selects ({List(new[] { old, renewed }.OfType<Translated>().SelectMany(t => t.Addresses.Values).Where(a => a.Address.Workload?.AuthorizationPolicies.Contains(name) is true).Select(a => a.Name).Distinct(StringComparer.Ordinal))})",
        };
    }

    private static string List(IEnumerable<string> names)
    {
        var all = names.Order(StringComparer.Ordinal).ToList();
        return all.Count == 0 ? "nothing" : string.Join(", ", all.Take(MostNamed)) + (all.Count > MostNamed ? $" and {all.Count - MostNamed} more" : string.Empty);
    }

    private static JsonArray Named(Translated? translated)
    {
        var statuses = translated is null ? [] : TranslationJson.Statuses(translated);
        return new JsonArray([.. statuses.Select(s => new JsonObject { ["name"] = $"{s!["kind"]} {s["namespace"]}/{s["name"]} by {s["writer"]}", ["resource"] = s["status"]!.DeepClone() })]);
    }

    private static JsonArray Flat(IReadOnlyDictionary<string, Google.Protobuf.IMessage>? messages) =>
        new([.. (messages ?? new Dictionary<string, Google.Protobuf.IMessage>(StringComparer.Ordinal)).Select(m => new JsonObject { ["name"] = m.Key, ["resource"] = TranslationJson.Message(m.Value) })]);
}
