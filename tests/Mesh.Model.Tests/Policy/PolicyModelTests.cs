using System.Net;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Mesh.Model.Collections;
using Mesh.Model.Policy;
using static Mesh.Model.Tests.TestMesh;

namespace Mesh.Model.Tests.Policy;

/// <summary>The evaluator against the rules of the specification written as LINQ.</summary>
public sealed class PolicyModelTests
{
    private static readonly string[] Names = ["a", "ab", "b", ""];

    [Property(MaxTest = 1000)]
    public Property Evaluate_AnyPoliciesAndFacts_DecidesAsTheRulesSay() =>
        Prop.ForAll(AnyPolicy.ArrayOf().Resize(6).ToArbitrary(), AnyFacts.ToArbitrary(), (policies, facts) =>
        {
            var named = policies.Select((p, i) => p with { Name = $"p{i}" }).ToArray();
            var snapshot = MeshSnapshot.Empty().With([.. named]);
            var destination = Pod("d", ns: "a") with { AuthorizationPolicies = named.Take(3).Select(p => p.QualifiedName).ToValueList() };
            var inForce = named.Where(p => p.Scope == PolicyScope.Global || (p.Scope == PolicyScope.Namespace && p.Namespace == "a") || named.Take(3).Contains(p)).ToList();
            var enforced = inForce.Where(p => !p.DryRun).ToList();

            var expected = enforced.Exists(p => p.Action == PolicyAction.Deny && Matches(p, facts)) ? PolicyOutcome.DeniedByPolicy
                : !enforced.Exists(p => p.Action == PolicyAction.Allow) ? PolicyOutcome.NoAllowPolicies
                : enforced.Exists(p => p.Action == PolicyAction.Allow && Matches(p, facts)) ? PolicyOutcome.AllowedByPolicy
                : PolicyOutcome.NoPolicyMatched;

            var decision = PolicyEvaluator.Evaluate(snapshot, destination, facts, trace: true);

            Assert.Equal(expected, decision.Outcome);
            if (decision.Policy is { } deciding)
                Assert.True(Matches(deciding, facts) && !deciding.DryRun);
            foreach (var tried in decision.Trace!)
                Assert.Equal(Matches(named.Single(p => p.QualifiedName == tried.Policy), facts), tried.Matched);
        });

    private static Gen<StringMatch> AnyString =>
        from kind in Gen.Elements(StringMatchKind.Exact, StringMatchKind.Prefix, StringMatchKind.Suffix, StringMatchKind.Presence)
        from text in Gen.Elements("a", "ab", "b", "", "a/ns/a/sa/a", "/sa/b", "ab/")
        select new StringMatch(kind, text);

    private static Gen<SpiffeId> AnyIdentity =>
        from td in Gen.Elements(Names)
        from ns in Gen.Elements(Names)
        from sa in Gen.Elements(Names)
        select new SpiffeId(td, ns, sa);

    private static Gen<IPAddress> AnyAddress => Gen.Elements("10.0.0.1", "10.0.0.2", "10.1.0.1", "2001:db8::1").Select(IPAddress.Parse);

    private static Gen<IpPrefix> AnyBlock => Gen.Elements("10.0.0.0/8", "10.0.0.1/32", "10.1.0.0/16", "2001:db8::/32", "0.0.0.0/0").Select(IpPrefix.Parse);

    private static Gen<ServiceAccountMatch> AnyAccount => Gen.Elements(Names).Two().Select(t => new ServiceAccountMatch(t.Item1, t.Item2));

    private static Gen<PolicyMatch> AnyMatch =>
        from strings in Few(AnyString).Four()
        from blocks in Few(AnyBlock).Four()
        from accounts in Few(AnyAccount).Two()
        from ports in Few(Gen.Elements<ushort>(80, 8080)).Two()
        select new PolicyMatch
        {
            Namespaces = strings.Item1,
            NotNamespaces = strings.Item2,
            Principals = strings.Item3,
            NotPrincipals = strings.Item4,
            SourceIps = blocks.Item1,
            NotSourceIps = blocks.Item2,
            DestinationIps = blocks.Item3,
            NotDestinationIps = blocks.Item4,
            ServiceAccounts = accounts.Item1,
            NotServiceAccounts = accounts.Item2,
            DestinationPorts = ports.Item1,
            NotDestinationPorts = ports.Item2,
        };

    private static Gen<AuthorizationPolicy> AnyPolicy =>
        from action in Gen.Elements(PolicyAction.Allow, PolicyAction.Deny)
        from scope in Gen.Elements(PolicyScope.Global, PolicyScope.Namespace, PolicyScope.WorkloadSelector)
        from ns in Gen.Elements("a", "b")
        from dry in Gen.Elements(false, false, true)
        from rules in Short(Short(Short(AnyMatch)))
        select new AuthorizationPolicy
        {
            Name = "",
            Namespace = ns,
            Action = action,
            Scope = scope,
            DryRun = dry,
            Rules = rules.Select(clauses => new PolicyRule(clauses.Select(matches => new PolicyClause(matches.ToValueList())).ToValueList())).ToValueList(),
        };

    private static Gen<ConnectionFacts> AnyFacts =>
        from count in Gen.Choose(0, 2)
        from ids in AnyIdentity.Two()
        from addresses in AnyAddress.Two()
        from port in Gen.Elements<ushort>(80, 8080, 1)
        select new ConnectionFacts
        {
            SourceIdentities = count switch { 0 => SourceIdentities.None, 1 => ids.Item1, _ => new(ids.Item1, ids.Item2) },
            SourceAddress = addresses.Item1,
            DestinationAddress = addresses.Item2,
            DestinationPort = port,
        };

    // Mostly empty: with every list filled nothing would ever match.
    private static Gen<ValueList<T>> Few<T>(Gen<T> item) =>
        Gen.Frequency((6, Gen.Constant(default(ValueList<T>))), (1, item.ArrayOf(1).Select(a => a.ToValueList())), (1, item.ArrayOf(2).Select(a => a.ToValueList())));

    private static Gen<T[]> Short<T>(Gen<T> item) => Gen.Choose(0, 2).SelectMany(n => item.ArrayOf(n));

    private static bool Matches(AuthorizationPolicy policy, ConnectionFacts facts) =>
        policy.Rules.Any(r => r.Clauses.All(c => c.Matches.IsEmpty || c.Matches.Any(m => Matches(m, facts))));

    private static bool Matches(PolicyMatch match, ConnectionFacts facts)
    {
        var ids = Enumerable.Range(0, facts.SourceIdentities.Count).Select(i => facts.SourceIdentities[i]).ToList();
        List<string> namespaces = ids.Count == 0 ? [""] : [.. ids.Select(i => i.Namespace)];
        return !match.IsEmpty
            && Both(match.Namespaces, match.NotNamespaces, s => namespaces.Exists(n => Holds(s, n)))
            && Both(match.Principals, match.NotPrincipals, s => ids.Exists(i => Holds(s, i.ToString()["spiffe://".Length..])))
            && Both(match.ServiceAccounts, match.NotServiceAccounts, s => ids.Exists(i => (i.Namespace, i.ServiceAccount) == (s.Namespace, s.ServiceAccount)))
            && Both(match.SourceIps, match.NotSourceIps, p => p.Contains(facts.SourceAddress))
            && Both(match.DestinationIps, match.NotDestinationIps, p => p.Contains(facts.DestinationAddress))
            && Both(match.DestinationPorts, match.NotDestinationPorts, p => p == facts.DestinationPort);
    }

    private static bool Both<T>(ValueList<T> positive, ValueList<T> negative, Func<T, bool> holds) => (positive.IsEmpty || positive.Any(holds)) && !negative.Any(holds);

    private static bool Holds(StringMatch match, string text) => match.Kind switch
    {
        StringMatchKind.Exact => text == match.Value,
        StringMatchKind.Prefix => text.StartsWith(match.Value, StringComparison.Ordinal),
        StringMatchKind.Suffix => text.EndsWith(match.Value, StringComparison.Ordinal),
        _ => text.Length > 0,
    };
}
