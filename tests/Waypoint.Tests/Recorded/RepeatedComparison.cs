using System.Globalization;
using System.Text.Json.Nodes;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>The recorded checks of a request that was sent many times.</summary>
internal static class RepeatedComparison
{
    public static IEnumerable<string> Differences(JsonNode step, JsonNode want, IReadOnlyList<Seen> got)
    {
        var checks = step["check"] as JsonArray ?? [new JsonObject { ["type"] = "outcomes" }];
        foreach (var check in checks)
        {
            foreach (var difference in Check(check!, want, got))
                yield return difference;
        }

        if (checks.Any(c => (string)c!["type"]! == "outcomes") && (bool?)step["compare_log"] != false && want["log"] is JsonObject log
            && Text(log.ToDictionary(p => p.Key, p => (int)p.Value!)) is var wanted && Log(got) is var seen && wanted != seen)
            yield return $"log: want {wanted} got {seen}";
    }

    private static IEnumerable<string> Check(JsonNode check, JsonNode want, IReadOnlyList<Seen> got)
    {
        switch ((string)check["type"]!)
        {
            case "outcomes":
                return Same("outcomes", Text(Wanted(want, "outcomes")), Text(Counts(got.Select(Outcome))));
            case "outcome-range":
                return check["range"]!.AsObject().Select(r => (r.Key, Count: got.Count(s => Outcome(s) == r.Key), Least: (int)r.Value![0]!, Most: (int)r.Value![1]!))
                    .Where(r => r.Count < r.Least || r.Count > r.Most)
                    .Select(r => $"outcome {r.Key}: {r.Count} is not in {r.Least}..{r.Most}");
            case "group-shares":
            case "instance-shares":
                return Shares(check, want, got);
            case "instance-counts":
                return Same("per instance", Text(Wanted(want, "by_instance")), Text(ByInstance(got)));
            case "instance-set":
                return Same("instances used", string.Join(",", Wanted(want, "by_instance").Keys.Order(StringComparer.Ordinal)), string.Join(",", ByInstance(got).Keys.Order(StringComparer.Ordinal)));
            case "instance-number":
                return Same("number of instances used", Number(Wanted(want, "by_instance").Count), Number(ByInstance(got).Count));
            case "attempts":
                return Same("tries", Text(Wanted(want, "attempts_histogram")), Text(Counts(got.Select(s => Number(s.Attempts.Count)))));
            case "bodies":
                return want["bodies"]!.AsObject().SelectMany(b => Same($"body of {b.Key}", (string?)b.Value ?? string.Empty, got.FirstOrDefault(s => Outcome(s) == b.Key)?.Body ?? string.Empty));
            case "none":
                return [];
            case var unknown:
                return [$"check {unknown} is not known here"];
        }
    }

    private static IEnumerable<string> Same(string what, string want, string got) => want == got ? [] : [$"{what}: want {want} got {got}"];

    private static IEnumerable<string> Shares(JsonNode check, JsonNode want, IReadOnlyList<Seen> got)
    {
        var byGroup = (string)check["type"]! == "group-shares";
        string Key(string instance) => byGroup ? Attempt.GroupOf(instance) : instance;
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

    private static string Outcome(Seen seen) => (seen.Status is { } status ? Number(status) : "None") + (seen.Error is null ? string.Empty : " " + seen.Error);

    private static string Log(IReadOnlyList<Seen> got) => Text(Counts(got.Where(s => s.Log is not null).Select(s => $"{s.Status ?? 0} {s.Log!.Flags} {s.Log.Details}")));

    private static Dictionary<string, int> ByInstance(IReadOnlyList<Seen> got) => Counts(got.SelectMany(s => s.Attempts).Select(a => a.Instance));

    private static Dictionary<string, int> Wanted(JsonNode want, string name) => want[name]!.AsObject().ToDictionary(p => p.Key, p => (int)p.Value!);

    private static Dictionary<string, int> Counts(IEnumerable<string> keys) => keys.GroupBy(k => k).ToDictionary(g => g.Key, g => g.Count());

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Text(Dictionary<string, int> counts) => string.Join(", ", counts.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Key}: {c.Value}"));
}
