using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>What was recorded for one request against what was seen, one line per difference.</summary>
internal static partial class Comparison
{
    // A wait that was recorded must have happened; how much longer it took is the machine's business.
    private const double LeastShareOfAWait = 0.7;
    private const int ShortestWait = 300;

    /// <summary>Compared for presence only, or not at all: values of the moment, and what the recording proxy added without tracing.</summary>
    private static readonly HashSet<string> PresenceOnly = ["date", "x-request-id", "x-envoy-upstream-service-time"];
    private const string Ignored = "x-envoy-decorator-operation";

    public static IEnumerable<string> Single(JsonNode step, JsonNode want, Seen got, TimeSpan duration)
    {
        var skip = (step["ignore"] as JsonArray ?? []).Select(n => (string)n!).ToHashSet(StringComparer.Ordinal);
        List<string> differences = [];
        void Compare(string what, object? wanted, object? seen)
        {
            if (!skip.Contains(what) && !Equals(wanted, seen))
                differences.Add($"{what}: want {wanted ?? "none"} got {seen ?? "none"}");
        }

        Compare("status", (int?)want["status"], got.Status);
        Compare("error", (string?)want["error"], got.Error);
        Compare("version", (string?)want["version"], got.Version);
        Compare("reset", (int?)want["reset"], got.Reset);
        Compare("interim", Text(want["interim"]), string.Join(",", got.Interim));
        Compare("after the upgrade", (string?)want["tunnel_reply"], got.TunnelReply);
        if ((string?)want["connection"] == "closed")
            Compare("connection", "closed", got.Connection);
        if (want["responses"] is JsonArray responses)
            differences.AddRange(Responses(responses, got.Responses!, skip));
        else
            differences.AddRange(Response(want, got, skip));
        if (!skip.Contains("duration") && want["responses"] is null && (string?)want["error"] is not ("closed" or "closed-in-body")
            && (int?)want["duration_ms"] is >= ShortestWait and var wait && duration.TotalMilliseconds < wait * LeastShareOfAWait)
            differences.Add($"after {duration.TotalMilliseconds:0} ms, recorded {wait} ms");
        if (!skip.Contains("attempts") && want["attempts"] is JsonArray attempts)
            differences.AddRange(Attempts(step, attempts, got.Attempts, skip));
        if (want["log"] is JsonObject log && log.ContainsKey("flags"))
        {
            Compare("log flags", (string?)log["flags"], got.Log?.Flags);
            Compare("log details", (string?)log["details"], got.Log?.Details);
        }

        return differences;
    }

    private static IEnumerable<string> Responses(JsonArray want, List<Seen> got, HashSet<string> skip)
    {
        var statuses = string.Join(",", want.Select(r => (int)r!["status"]!));
        if (statuses != string.Join(",", got.Select(r => r.Status)))
            return [$"responses: want [{statuses}] got [{string.Join(",", got.Select(r => r.Status))}]"];
        return want.Zip(got).SelectMany(r => Response(r.First!, r.Second, skip));
    }

    private static IEnumerable<string> Response(JsonNode want, Seen got, HashSet<string> skip)
    {
        if (!skip.Contains("headers"))
        {
            if (Difference(Scenario.Headers(want["headers"]), got.Headers, skip) is { } headers)
                yield return "response headers: " + headers;
        }

        if (!skip.Contains("trailers") && Difference(Scenario.Headers(want["trailers"]), got.Trailers, skip) is { } trailers)
            yield return "response trailers: " + trailers;
        if (!skip.Contains("body") && WithoutInstance((string?)want["body"] ?? string.Empty) != WithoutInstance(got.Body))
            yield return $"body: want \"{want["body"]}\" got \"{got.Body}\"";
        if (!skip.Contains("body_length") && (int?)want["body_length"] != got.BodyLength)
            yield return $"body length: want {want["body_length"]} got {got.BodyLength}";
    }

    private static List<string> Attempts(JsonNode step, JsonArray recorded, List<Attempt> seen, HashSet<string> skip)
    {
        if (recorded.Count != seen.Count)
            return [$"upstream requests: want {recorded.Count} got {seen.Count}"];
        List<JsonNode> want = [.. recorded.Select(n => n!)];
        List<Attempt> got = seen;
        if ((bool?)step["unordered"] == true)
        {
            want = [.. want.OrderBy(w => Attempt.GroupOf(Attempt.GroupOf((string)w["instance"]!)), StringComparer.Ordinal).ThenBy(w => (string?)w["path"], StringComparer.Ordinal)];
            got = [.. got.OrderBy(g => g.Service, StringComparer.Ordinal).ThenBy(g => g.Path, StringComparer.Ordinal)];
        }

        List<string> differences = [];
        var (wanted, went) = (want.Select(w => (string)w["instance"]!).ToList(), got.Select(g => g.Instance).ToList());
        if ((string?)step["compare"] == "pattern" && !wanted.Select(w => wanted.IndexOf(w)).SequenceEqual(went.Select(g => went.IndexOf(g))))
            differences.Add($"pattern of instances: want {string.Join(">", wanted)} got {string.Join(">", went)}");
        for (var i = 0; i < want.Count; i++)
            differences.AddRange(Upstream(step, want[i], got[i], i, skip));
        return differences;
    }

    private static IEnumerable<string> Upstream(JsonNode step, JsonNode want, Attempt got, int index, HashSet<string> skip)
    {
        var instance = (string)want["instance"]!;
        var same = (string?)step["compare"] switch
        {
            "group" => Attempt.GroupOf(instance) == got.Group,
            "instance" => instance == got.Instance,
            _ => Attempt.GroupOf(Attempt.GroupOf(instance)) == got.Service,
        };
        if (!same)
            yield return $"try {index + 1} went to {got.Instance}, recorded {instance}";
        foreach (var (what, wanted, seen) in ((string, string?, string?)[])
            [
                ("protocol", (string?)want["protocol"], got.Protocol), ("method", (string?)want["method"], got.Method), ("path", (string?)want["path"], got.Path),
                ("framing", (string?)want["framing"], got.Framing), ("body_length", Text(want["body_length"]), got.BodyLength.ToString(CultureInfo.InvariantCulture)),
                ("body", (string?)want["body"], got.Body),
            ])
        {
            if (!skip.Contains(what) && wanted != seen)
                yield return $"try {index + 1} {what}: want {wanted} got {seen}";
        }

        if (Difference(Scenario.Headers(want["trailers"]), got.Trailers, skip) is { } trailers)
            yield return $"try {index + 1} trailers: {trailers}";
        if (skip.Contains("upstream_headers"))
            yield break;
        // What is left of a timeout on a retry is not exact, and {proxy-ip} stands for any address of the proxy.
        var any = new HashSet<string>(skip);
        if (index > 0)
            any.Add("header:x-envoy-expected-rq-timeout-ms");
        any.UnionWith(Scenario.Headers(want["headers"]).Where(h => h.Value.Contains("{proxy-ip}", StringComparison.Ordinal)).Select(h => "header:" + h.Name));
        if (Difference(Scenario.Headers(want["headers"]), got.Headers, any) is { } headers)
            yield return $"try {index + 1} headers: {headers}";
    }

    private static string? Difference(IEnumerable<(string Name, string Value)> want, IEnumerable<(string Name, string Value)> got, HashSet<string> skip)
    {
        var (w, g) = (Normal(want, skip), Normal(got, skip));
        return w.SequenceEqual(g) ? null : $"missing [{string.Join(", ", Without(w, g))}] extra [{string.Join(", ", Without(g, w))}]";
    }

    private static List<string> Without(List<string> from, List<string> what)
    {
        List<string> rest = [.. from];
        foreach (var one in what)
            rest.Remove(one);
        return rest;
    }

    private static List<string> Normal(IEnumerable<(string Name, string Value)> headers, HashSet<string> skip) =>
    [
        .. headers.Select(h => (Name: h.Name.ToLowerInvariant(), h.Value))
            .Where(h => h.Name != Ignored)
            .Select(h => PresenceOnly.Contains(h.Name) || skip.Contains("header:" + h.Name) ? h.Name : $"{h.Name}: {h.Value}")
            .Order(StringComparer.Ordinal),
    ];

    private static string Text(JsonNode? node) => node is JsonArray list ? string.Join(",", list.Select(n => n!.ToString())) : node?.ToString() ?? string.Empty;

    private static string WithoutInstance(string body) => InstanceField().Replace(body, string.Empty);

    [GeneratedRegex("\"instance\":\"[^\"]*\",")]
    private static partial Regex InstanceField();
}
