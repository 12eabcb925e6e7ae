using System.Text.Json.Nodes;
using Google.Protobuf;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Admin;

/// <summary>A translation as JSON: what ztunnels and waypoints would be sent, proto3 JSON, sorted by name.</summary>
internal static class TranslationJson
{
    private static readonly JsonFormatter _formatter = new(JsonFormatter.Settings.Default);

    public static JsonObject Of(Translated translated) => new()
    {
        ["addresses"] = Addresses(translated),
        ["authorizations"] = Authorizations(translated),
        ["status"] = Statuses(translated),
        ["waypoints"] = Waypoints(translated),
        ["problems"] = Problems(translated.Problems),
    };

    public static JsonArray Addresses(Translated translated) => new([.. translated.Addresses.Values.OrderBy(a => a.Name, StringComparer.Ordinal).Select(a => new JsonObject
    {
        ["aliases"] = new JsonArray([.. a.Aliases.Order(StringComparer.Ordinal).Select(x => (JsonNode)x)]),
        ["name"] = a.Name,
        ["resource"] = Message(a.Address),
    })]);

    public static JsonArray Authorizations(Translated translated) => new([.. translated.Authorizations.OrderBy(a => a.Key, StringComparer.Ordinal).Select(a => new JsonObject
    {
        ["name"] = a.Key,
        ["resource"] = Message(a.Value),
    })]);

    public static JsonArray Statuses(Translated translated) => new([.. translated.Statuses.Select(s => new JsonObject
    {
        ["kind"] = s.Kind,
        ["namespace"] = s.Namespace,
        ["name"] = s.Name,
        ["writer"] = s.Writer,
        ["status"] = s.Status.DeepClone(),
    })]);

    public static JsonObject Waypoints(Translated translated)
    {
        var result = new JsonObject();
        foreach (var waypoint in translated.Waypoints.OrderBy(w => w.Key, StringComparer.Ordinal))
        {
            result[waypoint.Key] = new JsonObject
            {
                ["services"] = Map(waypoint.Value.Services),
                ["clusters"] = Map(waypoint.Value.Clusters),
                ["policies"] = Map(waypoint.Value.Policies),
            };
        }
        return result;
    }

    public static JsonArray Problems(IEnumerable<Problem> problems) => new([.. Problem.Sort(problems)
        .Select(p => new JsonObject
        {
            ["file"] = p.File,
            ["line"] = p.Line,
            ["document"] = p.Document,
            ["severity"] = p.Severity is ProblemSeverity.Error ? "error" : "warning",
            ["reason"] = p.Reason,
            ["fix"] = p.Fix,
        })]);

    private static JsonObject Map(IReadOnlyDictionary<string, IMessage> messages)
    {
        var result = new JsonObject();
        foreach (var (name, message) in messages.OrderBy(m => m.Key, StringComparer.Ordinal))
            result[name] = Message(message);
        return result;
    }

    public static JsonNode? Message(IMessage message) => JsonNode.Parse(_formatter.Format(message));
}
