using System.Text.Json.Nodes;

namespace Mesh.Testing.Kubernetes.Access;

/// <summary>The rights that stored roles give to one user, held against the requests that were really made.</summary>
public sealed class RoleCoverage(FakeApiServer server, string user)
{
    /// <summary>Of a pod's account.</summary>
    public static string ServiceAccount(string ns, string name) => $"system:serviceaccount:{ns}:{name}";

    /// <summary>What was refused; each once.</summary>
    public IReadOnlyList<string> Refused => [.. Made.Where(r => !r.Allowed).Select(r => r.ToString()).Distinct(StringComparer.Ordinal)];

    /// <summary>Verb x group x resource that a role grants and no request used: a right that nobody needs.</summary>
    public IReadOnlyList<string> Unused
    {
        get
        {
            var made = Made.ToList();
            return [.. server.Authorization.Grants(user).Where(g => !made.Exists(r => Covers(g, r))).Select(g => g.ToString()).Distinct(StringComparer.Ordinal)];
        }
    }

    private IEnumerable<AccessRecord> Made => server.Accesses.Where(r => r.User == user);

    private static bool Covers(Grant grant, AccessRecord made) =>
        made.Allowed && made.Verb == grant.Verb && made.Group == grant.Group && made.Resource == grant.Resource
        && (grant.Namespace.Length == 0 || grant.Namespace == made.Namespace) && (grant.Name.Length == 0 || grant.Name == made.Name);
}

/// <summary>One cell of a role's rules.</summary>
/// <param name="Namespace">Empty: everywhere.</param>
/// <param name="Name">Empty: any.</param>
public sealed record Grant(string Role, string Verb, string Group, string Resource, string Namespace, string Name)
{
    public override string ToString() => $"{Role}: {Verb} {(Group.Length == 0 ? Resource : $"{Resource}.{Group}")}{(Name.Length == 0 ? "" : $" {Name}")}";

    internal static IEnumerable<Grant> Of(string role, string ns, JsonNode rule)
    {
        static IEnumerable<string> Texts(JsonNode? list) => (list as JsonArray ?? []).Select(v => (string)v!);
        var names = Texts(rule["resourceNames"]).DefaultIfEmpty("").ToList();
        return from verb in Texts(rule["verbs"])
               from apiGroup in Texts(rule["apiGroups"])
               from resource in Texts(rule["resources"])
               from name in names
               select new Grant(role, verb, apiGroup, resource, ns, name);
    }
}
