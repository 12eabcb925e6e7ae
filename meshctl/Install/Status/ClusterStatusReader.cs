using System.Text.Json.Nodes;

using Mesh.Kubernetes;
using Mesh.Kubernetes.Requests;

namespace Mesh.Meshctl.Install.Status;

/// <summary>
/// (1) do the mesh's own parts run  (2) is every pod that asked in the mesh, and why not  (3) labels that do nothing, and network policies that
/// leave the mesh out  (4) what agents and control plane said about anything. From objects alone: no agent has to be reachable from here.
/// </summary>
internal sealed class ClusterStatusReader(KubeClient client, string home)
{
    /// <summary>By which the agent says that it has captured a pod.</summary>
    private const string Mark = "ambient.istio.io/redirection";

    /// <summary>A holder renews every 2 s, and clocks may differ by 2 min.</summary>
    private static readonly TimeSpan MostSilence = TimeSpan.FromMinutes(3);

    private static readonly string[] Controllers = ["mesh.io/ztunnel", "istiod-lite"];

    public async Task<ClusterStatus> ReadAsync(CancellationToken cancel)
    {
        var events = await EventsAsync(cancel);
        var namespaces = await ItemsAsync(ResourceTypes.Namespaces, cancel);
        var pods = await ItemsAsync(ResourceTypes.Pods, cancel);
        var modes = namespaces.ToDictionary(NameOf, n => Label(n, LabelSpelling.DataplaneMode), StringComparer.Ordinal);
        var asked = pods.Where(p => HasAsked(p, modes)).ToList();
        var agents = pods.Where(p => Label(p, "app") == "ztunnel" && IsReady(p)).Select(NodeOf).ToHashSet(StringComparer.Ordinal);
        return new ClusterStatus(
            await PartsAsync(cancel),
            [.. asked.GroupBy(NamespaceOf, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => new NamespaceStatus(g.Key, g.Count(), g.Count(p => MarkOf(p) == "enabled")))],
            [.. asked.Where(p => MarkOf(p) != "enabled").OrderBy(PathOf, StringComparer.Ordinal).Select(p => Outside(p, agents, events))],
            [.. namespaces.Concat(pods).SelectMany(Misspelt).Distinct(StringComparer.Ordinal)],
            TunnelPolicies.Find(await ItemsAsync(ResourceTypes.NetworkPolicies, cancel), namespaces),
            [.. events.OrderByDescending(e => e.Last).Select(e => new ToldEvent(e.On, e.Reason, e.Count, $"{e.Last:u}", e.Text))]);
    }

    /// <summary>The agent's own rule (pod before namespace), without what only it can know.</summary>
    private bool HasAsked(JsonNode pod, Dictionary<string, string?> modes)
    {
        var label = Label(pod, LabelSpelling.DataplaneMode);
        var isAsked = label == "ambient" || (label != "none" && modes.GetValueOrDefault(NamespaceOf(pod)) == "ambient");
        return isAsked && (string?)pod["status"]?["phase"] is not ("Succeeded" or "Failed") && !(NamespaceOf(pod) == home && Label(pod, "app") == "ztunnel");
    }

    private OutsidePod Outside(JsonNode pod, HashSet<string> agents, List<Told> events)
    {
        var told = events.Where(e => e.On == $"Pod {PathOf(pod)}" && e.Controller == Controllers[0]).MaxBy(e => e.Last);
        var node = NodeOf(pod);
        var reason = node.Length == 0 ? "it is not scheduled yet"
            : !agents.Contains(node) ? $"no agent is ready on its node: kubectl -n {home} get pods -l app=ztunnel --field-selector spec.nodeName={node}"
            : told?.Text ?? "its node's agent has not said anything about it; it may be just starting";
        return new OutsidePod(PathOf(pod), node.Length == 0 ? "-" : node, MarkOf(pod) ?? "outside", reason);
    }

    private async Task<IReadOnlyList<PartStatus>> PartsAsync(CancellationToken cancel)
    {
        var parts = new List<PartStatus>();
        foreach (var type in (ResourceType[])[ResourceTypes.Deployments, ResourceTypes.DaemonSets])
        {
            foreach (var item in (await ItemsAsync(type, cancel)).Where(i => Label(i, "app.kubernetes.io/part-of") == "mesh" || Label(i, "gateway.istio.io/managed") is not null))
            {
                var isComplete = Rollout.IsComplete(type.Kind, item.AsObject(), out var state);
                parts.Add(new PartStatus($"{type.Kind} {PathOf(item)}", isComplete ? state : $"NOT READY: {state}"));
            }
        }

        foreach (var lease in (await ItemsAsync(ResourceTypes.Leases, cancel)).Where(l => NamespaceOf(l) == home && NameOf(l).StartsWith("istiod-lite", StringComparison.Ordinal)))
            parts.Add(new PartStatus($"leader {NameOf(lease)}", LeaderOf(lease)));
        if (parts.Count == 0)
            parts.Add(new PartStatus("mesh", $"NOT INSTALLED: meshctl install -n {home}"));
        return parts;
    }

    private string LeaderOf(JsonNode lease)
    {
        if ((string?)lease["spec"]?["holderIdentity"] is not { Length: > 0 } holder)
            return "NONE: nobody writes statuses and waypoints";
        // Our clock is not the holder's: only what no difference that a mesh survives explains.
        return DateTimeOffset.TryParse((string?)lease["spec"]?["renewTime"], System.Globalization.CultureInfo.InvariantCulture, out var renewed) && client.Time.GetUtcNow() - renewed > MostSilence
            ? $"NONE: {holder} was the last one and has not renewed since {renewed:u}; nobody writes statuses and waypoints"
            : holder;
    }

    private static IEnumerable<string> Misspelt(JsonNode item)
    {
        foreach (var (key, value) in item["metadata"]?["labels"] as JsonObject ?? [])
        {
            if (LabelSpelling.Check(key, (string?)value ?? string.Empty) is { } problem)
                yield return (string?)item["metadata"]?["namespace"] is { } ns ? $"pods of {ns}: {problem}" : $"namespace {NameOf(item)}: {problem}";
        }
    }

    /// <summary>One event of ours, a series being one.</summary>
    private sealed record Told(string Controller, string On, string Reason, int Count, DateTimeOffset Last, string Text);

    private async Task<List<Told>> EventsAsync(CancellationToken cancel)
    {
        var told = (await ItemsAsync(ResourceTypes.Events, cancel)).Where(e => Controllers.Contains((string?)e["reportingController"])).Select(e =>
        {
            var regarding = e["regarding"];
            var on = (string?)regarding?["namespace"] is { Length: > 0 } ns ? $"{regarding["kind"]} {ns}/{regarding["name"]}" : $"{regarding?["kind"]} {regarding?["name"]}";
            var last = (string?)e["series"]?["lastObservedTime"] ?? (string?)e["eventTime"];
            return new Told(
                (string)e["reportingController"]!, on, (string?)e["reason"] ?? string.Empty, e["series"]?["count"]?.GetValue<int>() ?? 1,
                DateTimeOffset.TryParse(last, System.Globalization.CultureInfo.InvariantCulture, out var at) ? at : default, (string?)e["note"] ?? string.Empty);
        });
        // An agent that was restarted begins another series.
        return [.. told.GroupBy(t => (t.Controller, t.On, t.Reason, t.Text)).Select(g => g.MaxBy(t => t.Last)! with { Count = g.Sum(t => t.Count) })];
    }

    private async Task<List<JsonNode>> ItemsAsync(ResourceType type, CancellationToken cancel) =>
        [.. ((await client.GetAsync(type.CollectionPath(null), InstallJson.Default.JsonObject, cancel))["items"] as JsonArray ?? []).OfType<JsonNode>()];

    private static bool IsReady(JsonNode pod) => (pod["status"]?["conditions"] as JsonArray ?? []).Any(c => (string?)c!["type"] == "Ready" && (string?)c["status"] == "True");

    private static string? MarkOf(JsonNode pod) => (string?)pod["metadata"]?["annotations"]?[Mark];

    private static string? Label(JsonNode item, string key) => (string?)item["metadata"]?["labels"]?[key];

    private static string NodeOf(JsonNode pod) => (string?)pod["spec"]?["nodeName"] ?? string.Empty;

    private static string NamespaceOf(JsonNode item) => (string?)item["metadata"]?["namespace"] ?? string.Empty;

    private static string NameOf(JsonNode item) => (string?)item["metadata"]?["name"] ?? string.Empty;

    private static string PathOf(JsonNode item) => $"{NamespaceOf(item)}/{NameOf(item)}";
}
