using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>What reached the instances, by case and number, and what the script of each case says about it.</summary>
internal sealed class InstanceLog
{
    private readonly ConcurrentDictionary<string, JsonNode?> _scripts = new();
    private readonly ConcurrentDictionary<(string Case, string Seq), List<Attempt>> _received = new();

    public void Script(string @case, JsonNode? script)
    {
        _scripts[@case] = script;
        foreach (var key in _received.Keys.Where(k => k.Case == @case))
            _received.TryRemove(key, out _);
    }

    /// <summary>In order of arrival.</summary>
    public List<Attempt> Of(string @case, int seq)
    {
        if (!_received.TryGetValue((@case, seq.ToString(CultureInfo.InvariantCulture)), out var list))
            return [];
        lock (list)
            return [.. list];
    }

    public int Count(string @case) => _received.Where(r => r.Key.Case == @case).Sum(r => r.Value.Count);

    public (Attempt Attempt, JsonNode Action) Note(string instance, string protocol, string method, string path, List<(string Name, string Value)> headers)
    {
        string Of(string name, string missing) =>
            headers.Where(h => h.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(h => h.Value).FirstOrDefault() ?? missing;
        var @case = Of("x-case", "?");
        var list = _received.GetOrAdd((@case, Of("x-seq", "0")), _ => []);
        lock (list)
        {
            var attempt = new Attempt(instance, list.Count + 1, protocol, method, path, [.. headers.Where(h => h.Name.ToLowerInvariant() is not ("x-case" or "x-seq"))]);
            list.Add(attempt);
            return (attempt, Action(_scripts.GetValueOrDefault(@case), attempt) ?? new JsonObject());
        }
    }

    /// <summary>The default body.</summary>
    public static string Echo(Attempt attempt)
    {
        var host = attempt.Header("host") ?? attempt.Header(":authority");
        return $$"""{"instance":"{{attempt.Instance}}","attempt":{{attempt.Number}},"method":"{{attempt.Method}}","path":{{Json(attempt.Path)}},"host":{{(host is { Length: > 0 } ? Json(host) : "null")}},"body_length":{{attempt.BodyLength}}}""";
    }

    private static JsonNode? Action(JsonNode? script, Attempt attempt)
    {
        var byInstance = script?["instances"];
        if ((byInstance?[attempt.Instance] ?? byInstance?[attempt.Group]) is { } own)
            return own is JsonArray list ? list[Math.Min(attempt.Number, list.Count) - 1] : own;
        return script?["attempts"] is JsonArray attempts ? attempts[Math.Min(attempt.Number, attempts.Count) - 1] : null;
    }

    // As the recorder wrote it: everything outside ASCII escaped.
    private static string Json(string text)
    {
        var result = new StringBuilder("\"");
        foreach (var c in text)
            result.Append(c is '"' or '\\' ? "\\" + c : c is < ' ' or > '~' ? $"\\u{(int)c:x4}" : c.ToString());
        return result.Append('"').ToString();
    }
}
