using System.Text.Json.Nodes;
using Mesh.Testing.Kubernetes.Storage;

namespace Mesh.Testing.Kubernetes.Access;

/// <summary>RBAC as the stored Roles and bindings say; switched off, whoever is authenticated may do everything.</summary>
public sealed class RoleAuthorizer(ApiStore store)
{
    public bool Enforced { get; set; }

    public bool Allows(ApiUser user, string verb, string group, string resource, string subresource, string ns, string name)
    {
        ArgumentNullException.ThrowIfNull(user);
        if (user.Groups.Contains("system:masters", StringComparer.Ordinal))
            return true;
        if (!user.Groups.Contains("system:authenticated", StringComparer.Ordinal))
            return false;
        if (!Enforced)
            return true;
        var asked = subresource.Length == 0 ? resource : $"{resource}/{subresource}";
        return Rules(user, ns).Select(r => r.Rule).Any(rule =>
            Has(rule, "verbs", verb) && Has(rule, "apiGroups", group) && (Has(rule, "resources", asked) || (subresource.Length > 0 && Has(rule, "resources", $"*/{subresource}")))
            && (rule["resourceNames"] is not JsonArray { Count: > 0 } names || names.Any(n => (string?)n == name)));
    }

    /// <summary>Everything that the stored roles give to a user of this name, cell by cell.</summary>
    public IReadOnlyList<Grant> Grants(string user) =>
        [.. Rules(new ApiUser(user, []), null).SelectMany(r => Grant.Of(r.Role, r.Namespace, r.Rule))];

    /// <param name="ns">Null: of every namespace.</param>
    private IEnumerable<(string Role, string Namespace, JsonNode Rule)> Rules(ApiUser user, string? ns)
    {
        foreach (var binding in Of("clusterrolebindings").Where(b => Names(b, user)))
        {
            foreach (var rule in RulesOf("clusterroles", "", binding))
                yield return ($"ClusterRole {binding["roleRef"]!["name"]}", "", rule);
        }
        foreach (var binding in Of("rolebindings").Where(b => (ns is null || (string?)b["metadata"]!["namespace"] == ns) && Names(b, user)))
        {
            var home = (string)binding["metadata"]!["namespace"]!;
            foreach (var rule in (string?)binding["roleRef"]!["kind"] == "ClusterRole" ? RulesOf("clusterroles", "", binding) : RulesOf("roles", home, binding))
                yield return ($"Role {home}/{binding["roleRef"]!["name"]}", home, rule);
        }
    }

    private IEnumerable<JsonObject> Of(string plural)
    {
        var kind = store.FindKind("rbac.authorization.k8s.io", "v1", plural)!;
        return store.List(kind, null, Selectors.Parse(kind, null, null)).Items.Select(i => i.Body);
    }

    private IEnumerable<JsonNode> RulesOf(string plural, string ns, JsonObject binding) =>
        (store.Find("rbac.authorization.k8s.io", plural, ns, (string)binding["roleRef"]!["name"]!)?.Body["rules"] as JsonArray ?? []).Select(r => r!);

    private static bool Names(JsonObject binding, ApiUser user) => (binding["subjects"] as JsonArray ?? []).Any(s => (string?)s!["kind"] switch
    {
        "ServiceAccount" => user.Name == $"system:serviceaccount:{s["namespace"] ?? binding["metadata"]!["namespace"]}:{s["name"]}",
        "User" => user.Name == (string?)s["name"],
        "Group" => user.Groups.Contains((string)s["name"]!, StringComparer.Ordinal),
        _ => false,
    });

    private static bool Has(JsonNode rule, string field, string value) => (rule[field] as JsonArray ?? []).Any(v => (string?)v == "*" || (string?)v == value);
}
