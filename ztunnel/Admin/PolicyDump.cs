using System.Text.Json.Nodes;
using Mesh.Model;
using Mesh.Model.Collections;
using Mesh.Model.Policy;

namespace Mesh.Ztunnel.Admin;

/// <summary>The <c>policies</c> of the dump: rules of clauses of matches, empty lists left out.</summary>
internal static class PolicyDump
{
    public static JsonArray Of(MeshSnapshot mesh) => new([.. mesh.Policies.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => One(p.Value))]);

    private static JsonObject One(AuthorizationPolicy policy) => new()
    {
        ["name"] = policy.Name,
        ["namespace"] = policy.Namespace,
        ["scope"] = policy.Scope.ToString(),
        ["action"] = policy.Action.ToString(),
        ["dryRun"] = policy.DryRun,
        ["rules"] = new JsonArray([.. policy.Rules.Select(r => new JsonArray([.. r.Clauses.Select(c => new JsonArray([.. c.Matches.Select(Match)]))]))]),
    };

    private static JsonObject Match(PolicyMatch match)
    {
        var dump = new JsonObject();
        Add(dump, "namespaces", match.Namespaces, Text);
        Add(dump, "notNamespaces", match.NotNamespaces, Text);
        Add(dump, "principals", match.Principals, Text);
        Add(dump, "notPrincipals", match.NotPrincipals, Text);
        Add(dump, "serviceAccounts", match.ServiceAccounts, Account);
        Add(dump, "notServiceAccounts", match.NotServiceAccounts, Account);
        Add(dump, "sourceIps", match.SourceIps, p => JsonValue.Create(p.ToString()));
        Add(dump, "notSourceIps", match.NotSourceIps, p => JsonValue.Create(p.ToString()));
        Add(dump, "destinationIps", match.DestinationIps, p => JsonValue.Create(p.ToString()));
        Add(dump, "notDestinationIps", match.NotDestinationIps, p => JsonValue.Create(p.ToString()));
        Add(dump, "destinationPorts", match.DestinationPorts, p => JsonValue.Create(p));
        Add(dump, "notDestinationPorts", match.NotDestinationPorts, p => JsonValue.Create(p));
        return dump;
    }

    private static void Add<T>(JsonObject dump, string name, ValueList<T> values, Func<T, JsonNode?> one)
    {
        if (!values.IsEmpty)
            dump[name] = new JsonArray([.. values.Select(one)]);
    }

    private static JsonObject Text(StringMatch match) => match.Kind == StringMatchKind.Presence
        ? new JsonObject { ["Presence"] = new JsonArray() }
        : new JsonObject { [match.Kind.ToString()] = match.Value };

    private static JsonObject Account(ServiceAccountMatch match) => new() { ["namespace"] = match.Namespace, ["serviceAccount"] = match.ServiceAccount };
}
