using System.Text;
using Mesh.Model.Collections;

namespace Mesh.Model.Policy;

/// <summary>Words for what <see cref="PolicyMatcher"/> found. Only run when a trace was asked for.</summary>
internal static class PolicyExplainer
{
    public static string Explain(AuthorizationPolicy policy, in PolicySubject subject)
    {
        if (policy.Rules.IsEmpty)
            return "it has no rules, so it never matches";

        var text = new StringBuilder();
        if (policy.UnreadableConditions > 0)
            text.Append($"{policy.UnreadableConditions} of its conditions are unknown to this version, which {(policy.Action == PolicyAction.Allow ? "never hold then" : "are passed over then")}");
        for (var i = 0; i < policy.Rules.Count; i++)
        {
            var rule = policy.Rules[i];
            var failed = PolicyMatcher.FirstFailedClause(rule, subject);
            if (failed < 0)
                return policy.UnreadableConditions > 0 ? $"{text}; rules[{i}] matched" : $"rules[{i}] matched";
            if (text.Length > 0)
                text.Append("; ");
            text.Append($"rules[{i}].clauses[{failed}] did not match: ");
            Append(text, rule.Clauses[failed], subject);
        }

        return text.ToString();
    }

    private static void Append(StringBuilder text, PolicyClause clause, in PolicySubject subject)
    {
        for (var i = 0; i < clause.Matches.Count; i++)
        {
            if (i > 0)
                text.Append(", nor ");
            var match = clause.Matches[i];
            var field = PolicyMatcher.FirstFailedField(match, subject) ?? "";
            text.Append(Describe(field, match, subject.Facts));
        }
    }

    private static string Describe(string field, PolicyMatch match, in ConnectionFacts facts) => field switch
    {
        "namespaces" => Missing(field, Namespaces(facts), match.Namespaces),
        "not_namespaces" => Excluded(field, Namespaces(facts), match.NotNamespaces),
        "principals" => Missing(field, facts.SourceIdentities.ToString(), match.Principals),
        "not_principals" => Excluded(field, facts.SourceIdentities.ToString(), match.NotPrincipals),
        "service_accounts" => Missing(field, facts.SourceIdentities.ToString(), match.ServiceAccounts.Select(Account).ToValueList()),
        "not_service_accounts" => Excluded(field, facts.SourceIdentities.ToString(), match.NotServiceAccounts.Select(Account).ToValueList()),
        "source_ips" => Missing(field, facts.SourceAddress.ToString(), match.SourceIps),
        "not_source_ips" => Excluded(field, facts.SourceAddress.ToString(), match.NotSourceIps),
        "destination_ips" => Missing(field, facts.DestinationAddress.ToString(), match.DestinationIps),
        "not_destination_ips" => Excluded(field, facts.DestinationAddress.ToString(), match.NotDestinationIps),
        "destination_ports" => Missing(field, $"{facts.DestinationPort}", match.DestinationPorts),
        "not_destination_ports" => Excluded(field, $"{facts.DestinationPort}", match.NotDestinationPorts),
        _ => "a match without any condition never holds",
    };

    private static string Missing<T>(string field, string actual, ValueList<T> wanted) => $"{field} {actual} is not in {wanted}";

    private static string Excluded<T>(string field, string actual, ValueList<T> excluded) => $"{field} {actual} is in {excluded}";

    private static string Account(ServiceAccountMatch account) => $"{account.Namespace}/{account.ServiceAccount}";

    private static string Namespaces(in ConnectionFacts facts)
    {
        if (facts.SourceIdentities.Count == 0)
            return "\"\" (no identity)";
        var first = $"\"{facts.SourceIdentities[0].Namespace}\"";
        return facts.SourceIdentities.Count == 1 ? first : $"{first} or \"{facts.SourceIdentities[1].Namespace}\"";
    }
}
