using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Mesh.Meshctl.Why;

/// <summary>What one proxy says of one connection or request: a record of docs/decisions.md.</summary>
internal sealed class Hop(string proxy, string where, string record)
{
    private readonly JsonElement _json = JsonDocument.Parse(record).RootElement;

    public string Proxy => proxy;

    public string Where => where;

    public string Direction => Text("direction") ?? "?";

    public string Ending => Text("ending") ?? "?";

    public bool IsOk => Ending is "ok";

    public bool IsOpen => Ending == Mesh.Runtime.Decisions.IDecision.Open;

    public DateTimeOffset Ended => DateTimeOffset.TryParse(Text("time"), CultureInfo.InvariantCulture, out var time) ? time : default;

    public DateTimeOffset Began => Ended - TimeSpan.FromMilliseconds(Number("total_ms") ?? 0);

    /// <summary>The traces that this hop is part of: its own and, where it opened another connection, that one's.</summary>
    public IEnumerable<string> Traces => new[] { Text("trace_id"), Text("upstream_trace_id") }.OfType<string>();

    /// <summary>From the client's node to the destination's.</summary>
    public int Order => Direction switch
    {
        "outbound" => 0,
        "inbound" => 2,
        _ => 1,
    };

    public string? Text(string name) => _json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    public double? Number(string name) => _json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;

    public IEnumerable<string> Texts(string name) =>
        _json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().Select(v => v.GetString() ?? string.Empty) : [];

    /// <summary>The record with the proxy that it is from.</summary>
    public JsonObject ToJson()
    {
        var json = new JsonObject { ["proxy"] = proxy, ["where"] = where };
        foreach (var property in _json.EnumerateObject())
            json[property.Name] = JsonNode.Parse(property.Value.GetRawText());
        return json;
    }
}
