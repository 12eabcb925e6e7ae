using Google.Protobuf.Collections;
using Mesh.Model;
using Mesh.Model.Collections;
using Mesh.Model.Policy;
using Proto = Istio.Security;

namespace Mesh.Xds.Wds;

/// <summary>Authorization policies from the wire into the model.</summary>
/// <remarks>
/// Fails closed. A condition that cannot be read (a string match without kind, an address block that is none) must never make a
/// policy more permissive: in an ALLOW policy the match that holds it never matches, in a DENY policy the condition is taken as
/// fulfilled. Refusing the whole resource would be worse, since a policy that is absent allows.
/// </remarks>
public static class PolicyDecoder
{
    // What a DENY match becomes when none of its conditions could be read: every address of both families.
    private static readonly ValueList<IpPrefix> Everywhere = [IpPrefix.Parse("0.0.0.0/0"), IpPrefix.Parse("::/0")];

    public static AuthorizationPolicy Decode(Proto.Authorization policy, Action<string>? warning = null)
    {
        var action = policy.Action switch
        {
            Proto.Action.Allow => PolicyAction.Allow,
            Proto.Action.Deny => PolicyAction.Deny,
            _ => throw new WdsRejectedException($"action has the unknown value {(int)policy.Action}"),
        };
        var unreadable = 0;
        var decoded = new AuthorizationPolicy
        {
            Name = policy.Name,
            Namespace = policy.Namespace,
            Scope = policy.Scope switch
            {
                Proto.Scope.Global => PolicyScope.Global,
                Proto.Scope.Namespace => PolicyScope.Namespace,
                Proto.Scope.WorkloadSelector => PolicyScope.WorkloadSelector,
                _ => throw new WdsRejectedException($"scope has the unknown value {(int)policy.Scope}"),
            },
            Action = action,
            DryRun = policy.DryRun,
            Rules = policy.Rules.Select(r => new PolicyRule(
                r.Clauses.Select(c => new PolicyClause(c.Matches.Select(m => Match(m, action, ref unreadable)).ToValueList())).ToValueList())).ToValueList(),
        };
        if (unreadable > 0)
            warning?.Invoke($"policy {decoded.QualifiedName}: {unreadable} conditions cannot be read; the policy is enforced as strictly as it could be meant");
        return decoded;
    }

    private static PolicyMatch Match(Proto.Match match, PolicyAction action, ref int unreadable)
    {
        var reading = new Reading(action);
        var decoded = new PolicyMatch
        {
            Namespaces = reading.Positive(match.Namespaces, Text),
            NotNamespaces = reading.Negative(match.NotNamespaces, Text),
            Principals = reading.Positive(match.Principals, Text),
            NotPrincipals = reading.Negative(match.NotPrincipals, Text),
            SourceIps = reading.Positive(match.SourceIps, Block),
            NotSourceIps = reading.Negative(match.NotSourceIps, Block),
            DestinationIps = reading.Positive(match.DestinationIps, Block),
            NotDestinationIps = reading.Negative(match.NotDestinationIps, Block),
            DestinationPorts = match.DestinationPorts.Select(WdsDecoder.Port).ToValueList(),
            NotDestinationPorts = match.NotDestinationPorts.Select(WdsDecoder.Port).ToValueList(),
            ServiceAccounts = match.ServiceAccounts.Select(Account).ToValueList(),
            NotServiceAccounts = match.NotServiceAccounts.Select(Account).ToValueList(),
        };
        unreadable += reading.Unreadable;
        if (reading.Unreadable == 0)
            return decoded;
        if (action == PolicyAction.Deny)
            return decoded.IsEmpty ? decoded with { SourceIps = Everywhere } : decoded;
        // A match in which every list is empty never matches.
        return reading.IsImpossible ? new PolicyMatch() : decoded;
    }

    private static StringMatch? Text(Proto.StringMatch match) => match.MatchTypeCase switch
    {
        Proto.StringMatch.MatchTypeOneofCase.Exact => StringMatch.Exact(match.Exact),
        Proto.StringMatch.MatchTypeOneofCase.Prefix => StringMatch.Prefix(match.Prefix),
        Proto.StringMatch.MatchTypeOneofCase.Suffix => StringMatch.Suffix(match.Suffix),
        Proto.StringMatch.MatchTypeOneofCase.Presence => StringMatch.Presence,
        _ => null,
    };

    private static IpPrefix? Block(Proto.Address address) =>
        address.Address_.Length is 4 or 16 && address.Length <= address.Address_.Length * 8
            && IpPrefix.TryCreate(new System.Net.IPAddress(address.Address_.Span), (int)address.Length, out var prefix)
            ? prefix
            : null;

    private static ServiceAccountMatch Account(Proto.ServiceAccountMatch match) => new(match.Namespace, match.ServiceAccount);

    /// <summary>Collects the lists of one match and what could not be read of them.</summary>
    private sealed class Reading(PolicyAction action)
    {
        public int Unreadable { get; private set; }

        /// <summary>For ALLOW: some list can no longer be honoured.</summary>
        public bool IsImpossible { get; private set; }

        /// <summary>One of the values must hold.</summary>
        public ValueList<TOut> Positive<TIn, TOut>(RepeatedField<TIn> items, Func<TIn, TOut?> convert)
            where TOut : struct
        {
            var (values, lost) = Read(items, convert);
            if (lost == 0)
                return values.ToValueList();
            // DENY: the lost value might have been the one that holds, so the condition is dropped and the others decide.
            if (action == PolicyAction.Deny)
                return default;
            IsImpossible |= values.Count == 0;
            return values.ToValueList();
        }

        /// <summary>None of the values may hold. Without the lost one a DENY denies more; an ALLOW might allow what was excluded.</summary>
        public ValueList<TOut> Negative<TIn, TOut>(RepeatedField<TIn> items, Func<TIn, TOut?> convert)
            where TOut : struct
        {
            var (values, lost) = Read(items, convert);
            IsImpossible |= lost > 0;
            return values.ToValueList();
        }

        private (List<TOut> Values, int Lost) Read<TIn, TOut>(RepeatedField<TIn> items, Func<TIn, TOut?> convert)
            where TOut : struct
        {
            var values = new List<TOut>(items.Count);
            foreach (var item in items)
            {
                if (convert(item) is { } value)
                    values.Add(value);
            }

            var lost = items.Count - values.Count;
            Unreadable += lost;
            return (values, lost);
        }
    }
}
