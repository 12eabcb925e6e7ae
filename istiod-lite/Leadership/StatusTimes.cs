using System.Text.Json.Nodes;

namespace Mesh.IstiodLite.Leadership;

/// <summary>Conditions carry the time at which their status last changed; everything else in a status is compared without it. Pure.</summary>
internal static class StatusTimes
{
    private const string Time = "lastTransitionTime";

    /// <summary>True if <paramref name="current"/> says all that <paramref name="wanted"/> says, and of our lists nothing more.</summary>
    public static bool Covers(JsonNode? current, JsonNode? wanted)
    {
        switch (wanted)
        {
            case JsonObject fields:
                return current is JsonObject map && fields.All(f => f.Key == Time || Covers(map[f.Key], f.Value));
            case JsonArray list when IsConditions(list):
                // Other writers have conditions of their own next to ours.
                return current is JsonArray known && list.All(c => known.Any(k => (string?)k?["type"] == (string?)c!["type"] && Covers(k, c)));
            case JsonArray { Count: 0 }:
                return current is null or JsonArray { Count: 0 };
            case JsonArray list:
                return current is JsonArray same && same.Count == list.Count && list.Zip(same).All(p => Covers(p.Second, p.First));
            default:
                return JsonNode.DeepEquals(current, wanted);
        }
    }

    /// <summary>Gives each condition its time: the old one while its status is the old one.</summary>
    public static void Fill(JsonNode wanted, JsonNode? current, string now)
    {
        switch (wanted)
        {
            case JsonObject fields:
                foreach (var (name, value) in fields.ToList())
                {
                    if (value is not null)
                        Fill(value, (current as JsonObject)?[name], now);
                }
                break;
            case JsonArray list when IsConditions(list):
                foreach (var condition in list.OfType<JsonObject>())
                {
                    var before = (current as JsonArray)?.FirstOrDefault(k => (string?)k?["type"] == (string?)condition["type"]);
                    condition[Time] = (string?)before?["status"] == (string?)condition["status"] && (string?)before?[Time] is { } kept ? kept : now;
                }
                break;
            case JsonArray list:
                for (var i = 0; i < list.Count; i++)
                {
                    if (list[i] is { } item)
                        Fill(item, Counterpart(item, i, current as JsonArray), now);
                }
                break;
        }
    }

    /// <summary>Listeners are told apart by name, parents by what they refer to; otherwise the place counts.</summary>
    private static JsonNode? Counterpart(JsonNode item, int index, JsonArray? current) => item switch
    {
        JsonObject o when o["name"] is { } name => current?.FirstOrDefault(c => JsonNode.DeepEquals(c?["name"], name)),
        JsonObject o when o["parentRef"] is { } parent => current?.FirstOrDefault(c => JsonNode.DeepEquals(c?["parentRef"], parent) && JsonNode.DeepEquals(c?["controllerName"], o["controllerName"])),
        _ => index < current?.Count ? current[index] : null,
    };

    private static bool IsConditions(JsonArray list) => list.Count > 0 && list.All(c => c is JsonObject o && o["type"] is not null && o["status"] is not null && o["reason"] is not null);
}
