using System.Text.Json;

namespace Mesh.Waypoint.Routing;

/// <summary>The claims of the one valid token of a request.</summary>
/// <param name="spaceDelimited">Claims whose strings are lists, besides <c>scope</c> and <c>permission</c>.</param>
internal sealed class TokenClaims(JsonElement payload, IReadOnlyCollection<string>? spaceDelimited = null)
{
    public JsonElement Payload { get; } = payload;

    /// <summary><c>iss/sub</c>; null without a subject.</summary>
    public string? Principal { get; } = PrincipalOf(payload);

    public string? Presenter => Text("azp");

    public IEnumerable<string> Audiences => Values("aud");

    public string? Text(string name) => Text(Payload, name);

    /// <summary>The strings at a path of claims: a string, or the strings of a list.</summary>
    public IEnumerable<string> Values(params IReadOnlyList<string> path)
    {
        if (Find(path) is not { } found)
            return [];
        return found.ValueKind switch
        {
            // scope and its like are lists separated by spaces (reference 3.7); a value without spaces is a list of one.
            JsonValueKind.String when path[^1] is "scope" or "permission" || spaceDelimited?.Contains(path[^1]) == true => found.GetString()!.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            JsonValueKind.String => [found.GetString()!],
            JsonValueKind.Array => [.. found.EnumerateArray().Where(e => e.ValueKind == JsonValueKind.String).Select(e => e.GetString()!)],
            // Numbers and booleans never match a rule, as recorded.
            _ => [],
        };
    }

    /// <summary>The claim is there, whatever it is.</summary>
    public bool Has(params IReadOnlyList<string> path) => Find(path) is { ValueKind: not JsonValueKind.Null };

    private JsonElement? Find(IReadOnlyList<string> path)
    {
        var current = Payload;
        foreach (var step in path)
        {
            if (current.ValueKind != JsonValueKind.Object || !current.TryGetProperty(step, out current))
                return null;
        }

        return current;
    }

    private static string? PrincipalOf(JsonElement payload)
    {
        var issuer = Text(payload, "iss");
        var subject = Text(payload, "sub");
        return issuer is null || subject is null ? null : $"{issuer}/{subject}";
    }

    private static string? Text(JsonElement payload, string name) =>
        payload.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
