using System.Text.Json.Nodes;

using Mesh.Meshctl.Install;

namespace Mesh.Meshctl.Tests.Install;

/// <summary>Which NetworkPolicies keep pods of the mesh from what they let them reach, and that the remedy is one.</summary>
public sealed class TunnelPolicyTests
{
    private const string All = "{}";
    private const string Web = """{"matchLabels":{"app":"web"}}""";
    private const string OldWeb = """{"matchLabels":{"app":"web","version":"v1"}}""";
    private const string Api = """{"matchLabels":{"app":"api"}}""";

    private const string FromStore = """{"from":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"store"}}}],""";

    private static readonly JsonNode[] Namespaces =
    [
        JsonNode.Parse("""{"metadata":{"name":"shop","labels":{"kubernetes.io/metadata.name":"shop","istio.io/dataplane-mode":"ambient"}}}""")!,
        JsonNode.Parse("""{"metadata":{"name":"store","labels":{"kubernetes.io/metadata.name":"store","istio.io/dataplane-mode":"ambient"}}}""")!,
        JsonNode.Parse("""{"metadata":{"name":"monitoring","labels":{"kubernetes.io/metadata.name":"monitoring"}}}""")!,
        JsonNode.Parse("""{"metadata":{"name":"bare"}}""")!,
    ];

    public static TheoryData<string, string?, string[]> Table => new()
    {
        // What it is, the ports that are named (null: nothing to say), and the policies.
        { "the application's port alone", "8080", [Policy("a", Web, """{"ports":[{"protocol":"TCP","port":8080}]}""")] },
        { "and the mesh's", null, [Policy("a", Web, """{"ports":[{"protocol":"TCP","port":8080},{"protocol":"TCP","port":15008}]}""")] },
        { "the protocol is TCP where none is said", null, [Policy("a", Web, """{"ports":[{"port":8080},{"port":15008}]}""")] },
        { "the mesh's port of another protocol", "8080", [Policy("a", Web, """{"ports":[{"port":8080},{"protocol":"UDP","port":15008}]}""")] },
        { "only UDP, which is not the mesh's", null, [Policy("a", Web, """{"ports":[{"protocol":"UDP","port":53}]}""")] },
        { "a named port", "http", [Policy("a", Web, """{"ports":[{"port":"http"}]}""")] },
        { "a range without it", "8000-9000", [Policy("a", Web, """{"ports":[{"port":8000,"endPort":9000}]}""")] },
        { "a range with it", null, [Policy("a", Web, """{"ports":[{"port":8000,"endPort":16000}]}""")] },
        { "a range that ends with it", null, [Policy("a", Web, """{"ports":[{"port":8000,"endPort":15008}]}""")] },
        { "all ports of TCP", null, [Policy("a", Web, """{"ports":[{"protocol":"TCP"}]}""")] },
        { "empty ports are all", null, [Policy("a", Web, """{"ports":[]}""")] },
        { "no ports are all", null, [Policy("a", Web, "{}")] },
        { "no rules: nobody is meant to come in", null, [Policy("a", All)] },
        { "nobody, and then somebody", "8080", [Policy("a", All), Policy("b", Web, """{"ports":[{"port":8080}]}""")] },
        { "several that add up", null, [Policy("a", Web, """{"ports":[{"port":8080}]}"""), Policy("mesh", All, """{"ports":[{"port":15008}]}""")] },
        { "rules of one that add up", null, [Policy("a", Web, """{"ports":[{"port":8080}]}""", """{"ports":[{"port":15008}]}""")] },
        { "the wider selector counts for the narrower", null, [Policy("a", OldWeb, """{"ports":[{"port":8080}]}"""), Policy("mesh", Web, """{"ports":[{"port":15008}]}""")] },
        { "the narrower does not for the wider", "8080", [Policy("a", Web, """{"ports":[{"port":8080}]}"""), Policy("mesh", OldWeb, """{"ports":[{"port":15008}]}""")] },
        { "of other pods", "8080", [Policy("a", Web, """{"ports":[{"port":8080}]}"""), Policy("mesh", Api, """{"ports":[{"port":15008}]}""")] },
        { "of another namespace", "8080", [Policy("a", Web, """{"ports":[{"port":8080}]}"""), Policy("mesh", All, """{"ports":[{"port":15008}]}""").Replace("\"shop\"", "\"store\"", StringComparison.Ordinal)] },
        { "equal expressions", null, [Policy("a", """{"matchExpressions":[{"key":"app","operator":"Exists"}]}""", """{"ports":[{"port":8080}]}"""), Policy("mesh", """{"matchExpressions":[{"key":"app","operator":"Exists"}]}""", """{"ports":[{"port":15008}]}""")] },
        { "other expressions", "8080", [Policy("a", Web, """{"ports":[{"port":8080}]}"""), Policy("mesh", """{"matchExpressions":[{"key":"track","operator":"Exists"}]}""", """{"ports":[{"port":15008}]}""")] },
        { "the same peers", null, [Policy("a", Web, $$"""{{FromStore}}"ports":[{"port":8080}]}""", $$"""{{FromStore}}"ports":[{"port":15008}]}""")] },
        { "the tunnel for others only", "8080", [Policy("a", Web, """{"ports":[{"port":8080}]}""", $$"""{{FromStore}}"ports":[{"port":15008}]}""")] },
        { "the tunnel for all namespaces", null, [Policy("a", Web, $$"""{{FromStore}}"ports":[{"port":8080}]}""", """{"from":[{"namespaceSelector":{}}],"ports":[{"port":15008}]}""")] },
        { "the tunnel for its own namespace only", "8080", [Policy("a", Web, $$"""{{FromStore}}"ports":[{"port":8080}]}""", """{"from":[{"podSelector":{}}],"ports":[{"port":15008}]}""")] },
        { "the tunnel for all pods of its namespace", null, [Policy("a", Web, """{"from":[{"podSelector":{"matchLabels":{"app":"api"}}}],"ports":[{"port":8080}]}""", """{"from":[{"podSelector":{}}],"ports":[{"port":15008}]}""")] },
        { "the tunnel for some pods of its namespace", "8080", [Policy("a", Web, """{"from":[{"podSelector":{}}],"ports":[{"port":8080}]}""", """{"from":[{"podSelector":{"matchLabels":{"app":"api"}}}],"ports":[{"port":15008}]}""")] },
        { "from a namespace outside the mesh", null, [Policy("a", Web, """{"from":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"monitoring"}}}],"ports":[{"port":9090}]}""")] },
        { "from namespaces of which some are in the mesh", "9090", [Policy("a", Web, """{"from":[{"namespaceSelector":{"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"In","values":["monitoring","store"]}]}}],"ports":[{"port":9090}]}""")] },
        { "from all but those of the mesh", null, [Policy("a", Web, """{"from":[{"namespaceSelector":{"matchExpressions":[{"key":"istio.io/dataplane-mode","operator":"DoesNotExist"}]}}],"ports":[{"port":9090}]}""")] },
        { "from all but those that are named", null, [Policy("a", Web, """{"from":[{"namespaceSelector":{"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"NotIn","values":["shop","store"]}]}}],"ports":[{"port":9090}]}""")] },
        { "from namespaces with a label that none of the mesh has", null, [Policy("a", Web, """{"from":[{"namespaceSelector":{"matchExpressions":[{"key":"team","operator":"Exists"}]}}],"ports":[{"port":9090}]}""")] },
        { "the tunnel for addresses outside the cluster", "8080", [Policy("a", Web, """{"from":[{"podSelector":{}}],"ports":[{"port":8080}]}""", """{"from":[{"ipBlock":{"cidr":"198.51.100.0/24"}}],"ports":[{"port":15008}]}""")] },
        { "from addresses outside the cluster", null, [Policy("a", Web, """{"from":[{"ipBlock":{"cidr":"198.51.100.0/24"}}],"ports":[{"port":8080}]}""")] },
        { "egress only", null, [Policy("a", Web).Replace("\"Ingress\"", "\"Egress\"", StringComparison.Ordinal)] },
        { "no types are ingress", "8080", [Policy("a", Web, """{"ports":[{"port":8080}]}""").Replace("[\"Ingress\"]", "[]", StringComparison.Ordinal)] },
        { "in a namespace outside the mesh", null, [Policy("a", Web, """{"ports":[{"port":8080}]}""").Replace("\"shop\"", "\"bare\"", StringComparison.Ordinal)] },
        { "the second rule and the third", "8080, 9090", [Policy("a", Web, """{"from":[{"podSelector":{}}]}""", $$"""{{FromStore}}"ports":[{"port":8080}]}""", """{"ports":[{"port":9090}]}""")] },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public void Policy_ThatLeavesTheMeshOut_IsFound_AndItsRemedyIsOne(string what, string? ports, string[] policies)
    {
        var inForce = policies.Select(p => JsonNode.Parse(p)!).ToList();
        var found = TunnelPolicies.Find(inForce, Namespaces);
        if (ports is null)
        {
            Assert.True(found.Count == 0, $"{what}: {string.Join('\n', found)}");
            return;
        }

        var blocked = Assert.Single(found);
        Assert.StartsWith($"lets in port {ports} and not 15008", blocked.Found, StringComparison.Ordinal);
        var policy = Assert.Single(inForce, p => $"{p["metadata"]!["namespace"]}/{p["metadata"]!["name"]}" == blocked.Policy);
        var words = blocked.Remedy.Split('\'');
        Assert.Equal($"kubectl -n shop patch networkpolicy {policy["metadata"]!["name"]} --type json -p ", words[0]);
        foreach (var change in JsonNode.Parse(words[1])!.AsArray())
        {
            // RFC 6902, as far as it is needed: an element at the end of an array.
            JsonNode at = policy;
            foreach (var step in ((string)change!["path"]!).Split('/')[1..^1])
                at = (at is JsonArray list ? list[int.Parse(step, System.Globalization.CultureInfo.InvariantCulture)] : at[step])!;
            at.AsArray().Add(change["value"]!.DeepClone());
        }

        Assert.Empty(TunnelPolicies.Find(inForce, Namespaces));
    }

    private static string Policy(string name, string selector, params string[] rules) =>
        $$$"""{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"{{{name}}}","namespace":"shop"},"spec":{"podSelector":{{{selector}}},"policyTypes":["Ingress"],"ingress":[{{{string.Join(',', rules)}}}]}}""";
}
