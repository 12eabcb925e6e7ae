using Google.Protobuf.Collections;
using Mesh.Model;
using Mesh.Model.Collections;
using Mesh.Model.Policy;
using Proto = Istio.Security;

namespace Mesh.Xds.Wds;

/// <summary>Authorization policies from the wire into the model.</summary>
/// <remarks>
/// Fails closed. A condition that cannot be read (a string match without kind, an address block that is none) must never make a
/// policy more permissive; nor may a field that this version does not know: in an ALLOW policy the match that holds it never matches, in a DENY policy the condition is taken as
/// fulfilled. Refusing the whole resource would be worse, since a policy that is absent allows.
/// </remarks>
public static class PolicyDecoder
{
    // What a DENY match becomes when none of its conditions could be read: every address of both families.
    private static readonly ValueList<IpPrefix> Everywhere = [IpPrefix.Parse("0.0.0.0/0"), IpPrefix.Parse("::/0")];

    /// <param name="ignoreUnknown">Fields that this version does not know are passed over, as the Rust ztunnel does, and only warned of.</param>
    private static readonly PolicyClause Never = new([new PolicyMatch()]);

    public static AuthorizationPolicy Decode(Proto.Authorization policy, Action<string>? warning = null, bool ignoreUnknown = false)
    {
        if (UnknownFields.Anywhere(policy) && ignoreUnknown)
        {
            warning?.Invoke($"policy {policy.Namespace}/{policy.Name} has fields that this version does not know; they are passed over");
            policy = UnknownFields.Without(policy);
        }

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
        };
        var isStrange = UnknownFields.In(policy);
        unreadable += isStrange ? 1 : 0;
        decoded = decoded with { Rules = policy.Rules.Select(r => Rule(r, action, isStrange, ref unreadable)).ToValueList() };
        decoded = decoded with { UnreadableConditions = unreadable };
        if (unreadable > 0)
            warning?.Invoke($"policy {decoded.QualifiedName}: {unreadable} conditions cannot be read; the policy is enforced as strictly as it could be meant");
        return decoded;
    }

    /// <summary>What stands beside the clauses and is not understood can only narrow: an ALLOW rule never matches then, a DENY rule matches without it.</summary>
    private static PolicyRule Rule(Proto.Rule rule, PolicyAction action, bool isStrange, ref int unreadable)
    {
        var clauses = new List<PolicyClause>();
        foreach (var clause in rule.Clauses)
        {
            clauses.Add(new PolicyClause(Matches(clause, action, ref unreadable)));
            isStrange |= Count(UnknownFields.In(clause), ref unreadable);
        }

        isStrange |= Count(UnknownFields.In(rule), ref unreadable);
        if (isStrange && action == PolicyAction.Allow)
            clauses.Add(Never);
        return new PolicyRule(clauses.ToValueList());
    }

    private static ValueList<PolicyMatch> Matches(Proto.Clause clause, PolicyAction action, ref int unreadable)
    {
        var matches = new List<PolicyMatch>();
        foreach (var match in clause.Matches)
            matches.Add(Match(match, action, ref unreadable));
        return matches.ToValueList();
    }

    private static bool Count(bool isStrange, ref int unreadable)
    {
        unreadable += isStrange ? 1 : 0;
        return isStrange;
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
            ServiceAccounts = reading.PositiveItems(match.ServiceAccounts, Account),
            NotServiceAccounts = reading.NegativeItems(match.NotServiceAccounts, Account),
        };
        if (match.Extensions.Count > 0 || UnknownFields.In(match))
            reading.Strange();
        unreadable += reading.Unreadable;
        if (reading.Unreadable == 0)
            return decoded;
        if (action == PolicyAction.Deny)
            return decoded.IsEmpty ? decoded with { SourceIps = Everywhere } : decoded;
        // A match in which every list is empty never matches.
        return reading.IsImpossible ? new PolicyMatch() : decoded;
    }

    private static StringMatch? Text(Proto.StringMatch match) => UnknownFields.In(match) ? null : match.MatchTypeCase switch
    {
        Proto.StringMatch.MatchTypeOneofCase.Exact => StringMatch.Exact(match.Exact),
        Proto.StringMatch.MatchTypeOneofCase.Prefix => StringMatch.Prefix(match.Prefix),
        Proto.StringMatch.MatchTypeOneofCase.Suffix => StringMatch.Suffix(match.Suffix),
        Proto.StringMatch.MatchTypeOneofCase.Presence => StringMatch.Presence,
        _ => null,
    };

    private static IpPrefix? Block(Proto.Address address) =>
        !UnknownFields.In(address) && address.Address_.Length is 4 or 16 && address.Length <= address.Address_.Length * 8
            && IpPrefix.TryCreate(new System.Net.IPAddress(address.Address_.Span), (int)address.Length, out var prefix)
            ? prefix
            : null;

    private static ServiceAccountMatch? Account(Proto.ServiceAccountMatch match) => UnknownFields.In(match) ? null : new(match.Namespace, match.ServiceAccount);

    /// <summary>Collects the lists of one match and what could not be read of them.</summary>
    private sealed class Reading(PolicyAction action)
    {
        public int Unreadable { get; private set; }

        /// <summary>For ALLOW: some list can no longer be honoured.</summary>
        public bool IsImpossible { get; private set; }

        /// <summary>A condition of a kind that this version does not know.</summary>
        public void Strange()
        {
            Unreadable++;
            IsImpossible = true;
        }

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

        public ValueList<TOut> PositiveItems<TIn, TOut>(RepeatedField<TIn> items, Func<TIn, TOut?> convert)
            where TOut : class => Positive(items, i => convert(i) is { } value ? new Item<TOut>(value) : (Item<TOut>?)null).Select(i => i.Value).ToValueList();

        public ValueList<TOut> NegativeItems<TIn, TOut>(RepeatedField<TIn> items, Func<TIn, TOut?> convert)
            where TOut : class => Negative(items, i => convert(i) is { } value ? new Item<TOut>(value) : (Item<TOut>?)null).Select(i => i.Value).ToValueList();

        private readonly record struct Item<T>(T Value);

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
