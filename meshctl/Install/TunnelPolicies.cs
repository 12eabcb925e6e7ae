using System.Text.Json.Nodes;

namespace Mesh.Meshctl.Install;

/// <summary>A NetworkPolicy that keeps pods of the mesh from pods which it lets them reach.</summary>
/// <param name="Policy">namespace/name.</param>
internal sealed record BlockedTunnel(string Policy, string Found, string Remedy);

/// <summary>
/// NetworkPolicies are about packets, and between pods of the mesh these go to port 15008 whatever port is meant: whoever is let in anywhere has to be let in there.
/// A policy that lets nobody in is taken at its word. Two policies add up where the selector of one is within that of the other; pods are not looked at, so that
/// those which do not exist yet are covered, too.
/// </summary>
internal static class TunnelPolicies
{
    private const int TunnelPort = 15008;

    public static IReadOnlyList<BlockedTunnel> Find(IEnumerable<JsonNode> policies, IEnumerable<JsonNode> namespaces)
    {
        var mesh = namespaces.Where(n => (string?)n["metadata"]?["labels"]?[LabelSpelling.DataplaneMode] == "ambient").ToDictionary(Name, n => n["metadata"]!["labels"]!, StringComparer.Ordinal);
        var inForce = policies.Where(p => mesh.ContainsKey(Namespace(p)) && IsForIngress(p)).ToList();
        var found = new List<BlockedTunnel>();
        foreach (var policy in inForce)
        {
            var letIn = inForce.Where(p => Namespace(p) == Namespace(policy) && IsWithin(policy["spec"]?["podSelector"], p["spec"]?["podSelector"]))
                .SelectMany(Rules).Where(r => Ports(r).Count == 0 || Ports(r).Any(IsTunnel)).SelectMany(Peers).ToList();
            var blocked = Rules(policy).Index().Where(r => Ports(r.Item).Any(IsTcp) && Peers(r.Item).Any(peer => IsOfMesh(peer, mesh.Values) && !letIn.Any(wide => Covers(wide, peer)))).ToList();
            if (blocked.Count > 0)
                found.Add(Describe(policy, blocked));
        }

        return found;
    }

    private static BlockedTunnel Describe(JsonNode policy, List<(int Index, JsonNode Rule)> blocked)
    {
        var ports = blocked.SelectMany(r => Ports(r.Rule)).Where(IsTcp).Select(Text).Distinct(StringComparer.Ordinal);
        var changes = string.Join(',', blocked.Select(r => $$$"""{"op":"add","path":"/spec/ingress/{{{r.Index}}}/ports/-","value":{"protocol":"TCP","port":{{{TunnelPort}}}}}"""));
        return new BlockedTunnel(
            $"{Namespace(policy)}/{Name(policy)}",
            $"lets in port {string.Join(", ", ports)} and not {TunnelPort}, to which pods of the mesh connect whatever port they mean",
            $"kubectl -n {Namespace(policy)} patch networkpolicy {Name(policy)} --type json -p '[{changes}]'");
    }

    private static bool IsForIngress(JsonNode policy) => policy["spec"]?["policyTypes"] is not JsonArray { Count: > 0 } types || types.Any(t => (string?)t == "Ingress");

    private static IEnumerable<JsonNode> Rules(JsonNode policy) => (policy["spec"]?["ingress"] as JsonArray ?? []).OfType<JsonNode>();

    /// <summary>None: all of them.</summary>
    private static List<JsonNode> Ports(JsonNode rule) => [.. (rule["ports"] as JsonArray ?? []).OfType<JsonNode>()];

    /// <summary>Null: everybody.</summary>
    private static IEnumerable<JsonNode?> Peers(JsonNode rule) => rule["from"] is JsonArray { Count: > 0 } from ? from : [null];

    private static bool IsTcp(JsonNode port) => (string?)port["protocol"] is null or "TCP";

    /// <summary>A name is one of the pod's own ports; the mesh's has none in it.</summary>
    private static bool IsTunnel(JsonNode port) =>
        IsTcp(port) && (port["port"] is null || (Number(port["port"]) is { } first && TunnelPort >= first && TunnelPort <= (Number(port["endPort"]) ?? first)));

    private static int? Number(JsonNode? value) => value is JsonValue scalar && scalar.TryGetValue<int>(out var number) ? number : null;

    private static string Text(JsonNode port) => port["endPort"] is { } last ? $"{port["port"]}-{last}" : $"{port["port"]}";

    /// <summary>Blocks of addresses are meant for what is outside the cluster, and a namespace that has not opted in comes in plaintext: neither uses the tunnel.</summary>
    private static bool IsOfMesh(JsonNode? peer, IEnumerable<JsonNode> labelsOfNamespaces) =>
        peer is null || (peer["ipBlock"] is null && (peer["namespaceSelector"] is not { } selector || labelsOfNamespaces.Any(labels => Matches(selector, labels))));

    private static bool Covers(JsonNode? wide, JsonNode? narrow) =>
        wide is null || (narrow is not null && wide["ipBlock"] is null
            && (wide["namespaceSelector"] is { } all ? IsEmpty(all) || Same(all, narrow["namespaceSelector"]) : narrow["namespaceSelector"] is null)
            && (wide["podSelector"] is not { } pods || IsEmpty(pods) || Same(pods, narrow["podSelector"])));

    /// <summary>What the narrow selector selects, the wide one does, as far as can be told from the two alone.</summary>
    private static bool IsWithin(JsonNode? narrow, JsonNode? wide) =>
        Labels(wide).All(label => Labels(narrow).Any(l => l.Key == label.Key && Same(l.Value, label.Value))) && Expressions(wide).All(e => Expressions(narrow).Any(other => Same(e, other)));

    private static bool IsEmpty(JsonNode selector) => !Labels(selector).Any() && !Expressions(selector).Any();

    private static bool Matches(JsonNode selector, JsonNode labels) =>
        Labels(selector).All(l => Same(labels[l.Key], l.Value)) && Expressions(selector).All(e =>
        {
            var value = (string?)labels[(string)e["key"]!];
            var isAmong = (e["values"] as JsonArray ?? []).Any(v => value is not null && (string?)v == value);
            return (string?)e["operator"] switch
            {
                "In" => isAmong,
                "NotIn" => !isAmong,
                "Exists" => value is not null,
                _ => value is null,
            };
        });

    private static IEnumerable<KeyValuePair<string, JsonNode?>> Labels(JsonNode? selector) => selector?["matchLabels"] as JsonObject ?? [];

    private static IEnumerable<JsonNode> Expressions(JsonNode? selector) => (selector?["matchExpressions"] as JsonArray ?? []).OfType<JsonNode>();

    private static bool Same(JsonNode? one, JsonNode? two) => JsonNode.DeepEquals(one, two);

    private static string Name(JsonNode item) => (string?)item["metadata"]?["name"] ?? string.Empty;

    private static string Namespace(JsonNode item) => (string?)item["metadata"]?["namespace"] ?? string.Empty;
}
