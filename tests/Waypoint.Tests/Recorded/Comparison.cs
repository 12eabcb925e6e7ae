using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>What was recorded against what was seen, one line per difference.</summary>
internal static partial class Comparison
{
    /// <summary>Compared for presence only, or not at all: values of the moment, and what the recording proxy added without tracing.</summary>
    private static readonly HashSet<string> PresenceOnly = ["date", "x-request-id", "x-envoy-upstream-service-time"];
    private static readonly HashSet<string> Ignored = ["x-envoy-decorator-operation", "connection", "transfer-encoding"];

    public static IEnumerable<string> Single(JsonNode step, JsonNode want, Seen got)
    {
        var skip = (step["ignore"] as JsonArray ?? []).Select(n => (string)n!).ToHashSet(StringComparer.Ordinal);
        if (!skip.Contains("status") && (int?)want["status"] != got.Status)
            yield return $"status: want {want["status"]} got {got.Status}";
        if (!skip.Contains("error") && (string?)want["error"] != got.Error)
            yield return $"error: want {want["error"]} got {got.Error}";
        if (!skip.Contains("headers") && want["headers"] is not null)
        {
            var (w, g) = (Normal(Scenario.Headers(want["headers"]), skip), Normal(got.Headers, skip));
            if (!w.SequenceEqual(g))
                yield return $"response headers: missing [{string.Join(", ", w.Except(g))}] extra [{string.Join(", ", g.Except(w))}]";
        }

        if (!skip.Contains("body") && WithoutInstance((string?)want["body"] ?? string.Empty) != WithoutInstance(got.Body))
            yield return $"body: want \"{want["body"]}\" got \"{got.Body}\"";
        if (want["tunnel_reply"] is { } reply && (string?)reply != got.TunnelReply)
            yield return $"after the upgrade: want \"{reply}\" got \"{got.TunnelReply}\"";
        if (skip.Contains("attempts") || want["attempts"] is not JsonArray attempts)
            yield break;
        if (attempts.Count != got.Attempts.Count)
        {
            yield return $"upstream requests: want {attempts.Count} got {got.Attempts.Count}";
            yield break;
        }

        for (var i = 0; i < attempts.Count; i++)
        {
            foreach (var difference in Upstream(step, attempts[i]!, got.Attempts[i], i, skip))
                yield return difference;
        }
    }

    private static IEnumerable<string> Upstream(JsonNode step, JsonNode want, Attempt got, int index, HashSet<string> skip)
    {
        var recorded = new Attempt((string)want["instance"]!, 0, string.Empty, string.Empty, []);
        var same = (string?)step["compare"] switch
        {
            "group" => recorded.Group == got.Group,
            "instance" => recorded.Instance == got.Instance,
            _ => recorded.Service == got.Service,
        };
        if (!same)
            yield return $"try {index + 1} went to {got.Instance}, recorded {recorded.Instance}";
        if ((string?)want["method"] != got.Method)
            yield return $"try {index + 1} method: want {want["method"]} got {got.Method}";
        if ((string?)want["path"] != got.Path)
            yield return $"try {index + 1} path: want {want["path"]} got {got.Path}";
        if (!skip.Contains("framing") && (string?)want["framing"] != got.Framing)
            yield return $"try {index + 1} framing: want {want["framing"]} got {got.Framing}";
        if (!skip.Contains("body_length") && (int?)want["body_length"] != got.BodyLength)
            yield return $"try {index + 1} body length: want {want["body_length"]} got {got.BodyLength}";
        if (skip.Contains("upstream_headers"))
            yield break;
        // What is left of a timeout on a retry is not exact, and {proxy-ip} stands for any address of the proxy.
        var any = new HashSet<string>(skip);
        if (index > 0)
            any.Add("header:x-envoy-expected-rq-timeout-ms");
        any.UnionWith(Scenario.Headers(want["headers"]).Where(h => h.Value.Contains("{proxy-ip}", StringComparison.Ordinal)).Select(h => "header:" + h.Name));
        var (w, g) = (Normal(Scenario.Headers(want["headers"]), any), Normal(got.Headers, any));
        if (!w.SequenceEqual(g))
            yield return $"try {index + 1} headers: missing [{string.Join(", ", w.Except(g))}] extra [{string.Join(", ", g.Except(w))}]";
    }

    public static IEnumerable<string> Repeated(JsonNode step, JsonNode want, IReadOnlyList<Seen> got)
    {
        foreach (var check in step["check"] as JsonArray ?? [new JsonObject { ["type"] = "outcomes" }])
        {
            switch ((string)check!["type"]!)
            {
                case "outcomes":
                    var outcomes = Counts(got.Select(s => (s.Status?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "None") + (s.Error is null ? string.Empty : " " + s.Error)));
                    var wanted = want["outcomes"]!.AsObject().ToDictionary(p => p.Key, p => (int)p.Value!);
                    if (Text(outcomes) != Text(wanted))
                        yield return $"outcomes: want {Text(wanted)} got {Text(outcomes)}";
                    break;
                case "outcome-range":
                    foreach (var (status, range) in check["range"]!.AsObject())
                    {
                        var count = got.Count(s => s.Status?.ToString(System.Globalization.CultureInfo.InvariantCulture) == status);
                        if (count < (int)range![0]! || count > (int)range[1]!)
                            yield return $"outcome {status}: {count} is not in {range.ToJsonString()}";
                    }

                    break;
                case "group-shares":
                case "instance-shares":
                    foreach (var difference in Shares(check, want, got))
                        yield return difference;
                    break;
                case "instance-counts":
                    if (Text(Wanted(want, "by_instance")) != Text(ByInstance(got)))
                        yield return $"per instance: want {Text(Wanted(want, "by_instance"))} got {Text(ByInstance(got))}";
                    break;
                case "instance-set":
                    if (!Wanted(want, "by_instance").Keys.ToHashSet().SetEquals(ByInstance(got).Keys))
                        yield return $"instances used: want {string.Join(",", Wanted(want, "by_instance").Keys)} got {string.Join(",", ByInstance(got).Keys)}";
                    break;
                case "instance-number":
                    if (Wanted(want, "by_instance").Count != ByInstance(got).Count)
                        yield return $"number of instances used: want {Wanted(want, "by_instance").Count} got {ByInstance(got).Count}";
                    break;
                case "attempts":
                    var histogram = Counts(got.Select(s => s.Attempts.Count.ToString(System.Globalization.CultureInfo.InvariantCulture)));
                    if (Text(histogram) != Text(Wanted(want, "attempts_histogram")))
                        yield return $"tries: want {Text(Wanted(want, "attempts_histogram"))} got {Text(histogram)}";
                    break;
                case "instance-max":
                    foreach (var (name, most) in check["max"]!.AsObject())
                    {
                        if (ByInstance(got).GetValueOrDefault(name) > (int)most!)
                            yield return $"{name} got {ByInstance(got)[name]} requests, at most {most}";
                    }

                    break;
            }
        }
    }

    private static IEnumerable<string> Shares(JsonNode check, JsonNode want, IReadOnlyList<Seen> got)
    {
        var byGroup = (string)check["type"]! == "group-shares";
        string Key(string instance) => byGroup ? instance[..instance.LastIndexOf('-')] : instance;
        Dictionary<string, double> Of(Dictionary<string, int> counts) =>
            counts.GroupBy(c => Key(c.Key)).ToDictionary(g => g.Key, g => g.Sum(c => c.Value) / (double)Math.Max(1, counts.Values.Sum()));
        var recorded = Of(Wanted(want, "first_attempt_by_instance"));
        var seen = Of(Counts(got.Where(s => s.Attempts.Count > 0).Select(s => s.Attempts[0].Instance)));
        foreach (var key in recorded.Keys.Union(seen.Keys))
        {
            var (w, g) = (recorded.GetValueOrDefault(key), seen.GetValueOrDefault(key));
            if (Math.Abs(w - g) > (double)check["tolerance"]!)
                yield return $"share of {key}: want {w:0.000} got {g:0.000}";
        }
    }

    private static Dictionary<string, int> ByInstance(IReadOnlyList<Seen> got) => Counts(got.SelectMany(s => s.Attempts).Select(a => a.Instance));

    private static Dictionary<string, int> Wanted(JsonNode want, string name) => want[name]!.AsObject().ToDictionary(p => p.Key, p => (int)p.Value!);

    private static Dictionary<string, int> Counts(IEnumerable<string> keys) => keys.GroupBy(k => k).ToDictionary(g => g.Key, g => g.Count());

    private static string Text(Dictionary<string, int> counts) => string.Join(", ", counts.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Key}: {c.Value}"));

    // Several lines of one name and one line with commas mean the same (RFC 9110 5.3); the HTTP client joins them.
    private static List<string> Normal(IEnumerable<(string Name, string Value)> headers, HashSet<string> skip) =>
    [
        .. headers.Select(h => (Name: h.Name.ToLowerInvariant(), h.Value))
            .Where(h => !Ignored.Contains(h.Name))
            .GroupBy(h => h.Name)
            .Select(g => PresenceOnly.Contains(g.Key) || skip.Contains("header:" + g.Key)
                ? g.Key
                : $"{g.Key}: {string.Join(", ", g.Select(h => h.Value))}")
            .Order(StringComparer.Ordinal),
    ];

    private static string WithoutInstance(string body) => InstanceField().Replace(body, string.Empty);

    [GeneratedRegex("\"instance\":\"[^\"]*\",")]
    private static partial Regex InstanceField();
}
