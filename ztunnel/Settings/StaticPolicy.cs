using Mesh.Model;
using Mesh.Model.Policy;

namespace Mesh.Ztunnel.Settings;

/// <summary>A policy of the static configuration: rules are lists of lists of matches; string matches carry their kind as a YAML tag.</summary>
internal static class StaticPolicy
{
    public static AuthorizationPolicy Parse(StaticNode node) => new()
    {
        Name = node.Required("name"),
        Namespace = node.Required("namespace"),
        Scope = node.RequiredChoice("scope",
            ("Global", PolicyScope.Global), ("Namespace", PolicyScope.Namespace), ("WorkloadSelector", PolicyScope.WorkloadSelector)),
        Action = node.RequiredChoice("action", ("Allow", PolicyAction.Allow), ("Deny", PolicyAction.Deny)),
        DryRun = node.RequiredChoice("dryRun", ("true", true), ("false", false)),
        Rules = [.. node.RequiredList("rules").Select(rule => new PolicyRule([.. rule.Items().Select(clause => new PolicyClause([.. clause.Items().Select(Match)]))]))],
    };

    private static PolicyMatch Match(StaticNode node)
    {
        node.AllowOnly(
            "namespaces", "notNamespaces", "principals", "notPrincipals", "serviceAccounts", "notServiceAccounts",
            "sourceIps", "notSourceIps", "destinationIps", "notDestinationIps", "destinationPorts", "notDestinationPorts");
        return new PolicyMatch
        {
            Namespaces = [.. node.List("namespaces").Select(Text)],
            NotNamespaces = [.. node.List("notNamespaces").Select(Text)],
            Principals = [.. node.List("principals").Select(Text)],
            NotPrincipals = [.. node.List("notPrincipals").Select(Text)],
            ServiceAccounts = [.. node.List("serviceAccounts").Select(Account)],
            NotServiceAccounts = [.. node.List("notServiceAccounts").Select(Account)],
            SourceIps = [.. node.List("sourceIps").Select(b => b.Block())],
            NotSourceIps = [.. node.List("notSourceIps").Select(b => b.Block())],
            DestinationIps = [.. node.List("destinationIps").Select(b => b.Block())],
            NotDestinationIps = [.. node.List("notDestinationIps").Select(b => b.Block())],
            DestinationPorts = [.. node.List("destinationPorts").Select(p => p.Port())],
            NotDestinationPorts = [.. node.List("notDestinationPorts").Select(p => p.Port())],
        };
    }

    private static StringMatch Text(StaticNode node) => node.Tag switch
    {
        "Exact" => StringMatch.Exact(node.Scalar()),
        "Prefix" => StringMatch.Prefix(node.Scalar()),
        "Suffix" => StringMatch.Suffix(node.Scalar()),
        "Presence" => StringMatch.Presence,
        // The kind may also be the key of a map with one entry, as the dump prints it.
        _ => Untagged(node),
    };

    private static StringMatch Untagged(StaticNode node)
    {
        foreach (var (kind, value) in node.Map(null))
        {
            switch (kind.Scalar())
            {
                case "Exact":
                    return StringMatch.Exact(value.Scalar());
                case "Prefix":
                    return StringMatch.Prefix(value.Scalar());
                case "Suffix":
                    return StringMatch.Suffix(value.Scalar());
                case "Presence":
                    return StringMatch.Presence;
                default:
                    break;
            }
        }
        throw node.Wrong("a string match must be tagged !Exact, !Prefix, !Suffix or !Presence");
    }

    private static ServiceAccountMatch Account(StaticNode node) => new(node.Required("namespace"), node.Required("serviceAccount"));
}
