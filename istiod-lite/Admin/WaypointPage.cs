using System.Text.Json.Nodes;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Admin;

/// <summary>/debug/waypoints: every Gateway that is to be a waypoint, how it is run, and why traffic cannot be sent through it.</summary>
internal static class WaypointPage
{
    public static JsonObject Of(Translated translated)
    {
        var classes = translated.Resources.GatewayClasses.ToDictionary(c => c.Name, StringComparer.Ordinal);
        var conditions = translated.Statuses.Where(s => s.Kind == "Gateway").ToLookup(s => (s.Namespace, s.Name), s => s.Status["conditions"] as JsonArray ?? []);
        var waypoints = translated.Resources.Gateways
            .Where(g => translated.Catalog.Find(g.Namespace, g.Name) is not null || WaypointCatalog.IsManagedWaypoint(g, classes.GetValueOrDefault(g.ClassName)))
            .OrderBy(g => g.Namespace, StringComparer.Ordinal).ThenBy(g => g.Name, StringComparer.Ordinal);
        return new JsonObject(waypoints.Select(g => KeyValuePair.Create($"{g.Namespace}/{g.Name}", (JsonNode?)One(g, translated, conditions[(g.Namespace, g.Name)].SelectMany(c => c)))));
    }

    private static JsonObject One(Gateway gateway, Translated translated, IEnumerable<JsonNode?> conditions)
    {
        var hasAddress = translated.Catalog.Find(gateway.Namespace, gateway.Name) is not null;
        var reasons = conditions.Where(c => (string?)c!["status"] == "False").Select(c => $"{c!["reason"]}: {c["message"]}").ToList();
        if (!hasAddress && reasons.Count == 0)
            reasons.Add("its status has no address yet");
        return new JsonObject
        {
            ["ready"] = reasons.Count == 0,
            ["reason"] = reasons.Count == 0 ? null : string.Join("; ", reasons),
            ["bound"] = hasAddress,
            ["environment"] = new JsonObject(ProxyConfigs.Variables(ProxyConfigs.For(translated.Resources, translated.Settings, gateway)).Select(v => KeyValuePair.Create(v.Key, (JsonNode?)v.Value))),
        };
    }
}
