using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Mesh.Model;
using Mesh.Model.Policy;
using Proto = Istio.Security;

namespace Mesh.Xds.Wds;

/// <summary>Authorization policies from the model onto the wire; the inverse of <see cref="PolicyDecoder"/>.</summary>
public static class PolicyEncoder
{
    public static Proto.Authorization Encode(AuthorizationPolicy policy)
    {
        var encoded = new Proto.Authorization
        {
            Name = policy.Name,
            Namespace = policy.Namespace,
            Scope = policy.Scope switch
            {
                PolicyScope.Namespace => Proto.Scope.Namespace,
                PolicyScope.WorkloadSelector => Proto.Scope.WorkloadSelector,
                _ => Proto.Scope.Global,
            },
            Action = policy.Action == PolicyAction.Deny ? Proto.Action.Deny : Proto.Action.Allow,
            DryRun = policy.DryRun,
        };
        foreach (var rule in policy.Rules)
        {
            var encodedRule = new Proto.Rule();
            foreach (var clause in rule.Clauses)
            {
                var encodedClause = new Proto.Clause();
                encodedClause.Matches.AddRange(clause.Matches.Select(Match));
                encodedRule.Clauses.Add(encodedClause);
            }

            encoded.Rules.Add(encodedRule);
        }

        return encoded;
    }

    private static Proto.Match Match(PolicyMatch match)
    {
        var encoded = new Proto.Match();
        encoded.Namespaces.AddRange(match.Namespaces.Select(Text));
        encoded.NotNamespaces.AddRange(match.NotNamespaces.Select(Text));
        encoded.Principals.AddRange(match.Principals.Select(Text));
        encoded.NotPrincipals.AddRange(match.NotPrincipals.Select(Text));
        encoded.SourceIps.AddRange(match.SourceIps.Select(Block));
        encoded.NotSourceIps.AddRange(match.NotSourceIps.Select(Block));
        encoded.DestinationIps.AddRange(match.DestinationIps.Select(Block));
        encoded.NotDestinationIps.AddRange(match.NotDestinationIps.Select(Block));
        encoded.DestinationPorts.AddRange(match.DestinationPorts.Select(p => (uint)p));
        encoded.NotDestinationPorts.AddRange(match.NotDestinationPorts.Select(p => (uint)p));
        encoded.ServiceAccounts.AddRange(match.ServiceAccounts.Select(Account));
        encoded.NotServiceAccounts.AddRange(match.NotServiceAccounts.Select(Account));
        return encoded;
    }

    private static Proto.StringMatch Text(StringMatch match) => match.Kind switch
    {
        StringMatchKind.Exact => new Proto.StringMatch { Exact = match.Value },
        StringMatchKind.Prefix => new Proto.StringMatch { Prefix = match.Value },
        StringMatchKind.Suffix => new Proto.StringMatch { Suffix = match.Value },
        _ => new Proto.StringMatch { Presence = new Empty() },
    };

    private static Proto.Address Block(IpPrefix prefix) =>
        new() { Address_ = ByteString.CopyFrom(prefix.Network.GetAddressBytes()), Length = (uint)prefix.Length };

    private static Proto.ServiceAccountMatch Account(ServiceAccountMatch match) => new() { Namespace = match.Namespace, ServiceAccount = match.ServiceAccount };
}
