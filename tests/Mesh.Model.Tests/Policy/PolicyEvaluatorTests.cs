using Mesh.Model.Collections;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using static Mesh.Model.Tests.Policy.MatchTests;
using static Mesh.Model.Tests.TestMesh;

namespace Mesh.Model.Tests.Policy;

public sealed class PolicyEvaluatorTests
{
    private static readonly SpiffeId Caller = new("cluster.local", "default", "client");
    private static readonly PolicyMatch Everybody = new() { DestinationPorts = [8080] };
    private static readonly PolicyMatch Nobody = new() { DestinationPorts = [1] };
    private readonly MeshSnapshot _empty = MeshSnapshot.Empty();

    [Fact]
    public void NoPolicies_Allow() => Check(_empty, PolicyOutcome.NoAllowPolicies, null, "no allow policies, allowed");

    [Fact]
    public void Deny_GoesBeforeAllow()
    {
        var snapshot = _empty.With(APolicy("allow", PolicyAction.Allow, matches: Everybody), APolicy("deny", PolicyAction.Deny, matches: Everybody));
        Check(snapshot, PolicyOutcome.DeniedByPolicy, "default/deny", "explicitly denied by: default/deny");
    }

    [Fact]
    public void Deny_ThatDoesNotMatch_LeavesTheDecisionToAllow()
    {
        var deny = APolicy("deny", PolicyAction.Deny, matches: Nobody);
        Check(_empty.With(deny), PolicyOutcome.NoAllowPolicies, null, "no allow policies, allowed");
        Check(_empty.With(deny, APolicy("allow", PolicyAction.Allow, matches: Everybody)), PolicyOutcome.AllowedByPolicy, "default/allow", "allowed by: default/allow");
        Check(_empty.With(deny, APolicy("allow", PolicyAction.Allow, matches: Nobody)), PolicyOutcome.NoPolicyMatched, null, "allow policies exist, but none allowed");
    }

    [Fact]
    public void Scopes_GlobalAndOwnNamespaceAndNamedOnes_Apply()
    {
        Check(_empty.With(APolicy("g", PolicyAction.Deny, PolicyScope.Global, "istio-system", Everybody)), PolicyOutcome.DeniedByPolicy, "istio-system/g");
        Check(_empty.With(APolicy("n", PolicyAction.Deny, PolicyScope.Namespace, "default", Everybody)), PolicyOutcome.DeniedByPolicy, "default/n");
        Check(_empty.With(APolicy("n", PolicyAction.Deny, PolicyScope.Namespace, "elsewhere", Everybody)), PolicyOutcome.NoAllowPolicies, null);

        var selector = _empty.With(APolicy("s", PolicyAction.Deny, PolicyScope.WorkloadSelector, "default", Everybody));
        Check(selector, PolicyOutcome.NoAllowPolicies, null);
        Check(selector, PolicyOutcome.DeniedByPolicy, "default/s", destination: Pod("a") with { AuthorizationPolicies = ["default/s"] });
    }

    [Fact]
    public void PolicyThatChangesItsScope_LeavesTheOldPlace()
    {
        var snapshot = _empty.With(APolicy("p", PolicyAction.Deny, PolicyScope.Namespace, "default", Everybody));
        snapshot = snapshot.With(APolicy("p", PolicyAction.Deny, PolicyScope.Global, "default", Everybody));
        Assert.Equal(0, snapshot.PoliciesOfNamespace("default").Length);
        Assert.Equal(1, snapshot.PoliciesOfNamespace("").Length);
        snapshot = snapshot.With(APolicy("p", PolicyAction.Deny, PolicyScope.WorkloadSelector, "default", Everybody));
        Check(snapshot, PolicyOutcome.NoAllowPolicies, null);
        Assert.NotNull(snapshot.FindPolicy("default/p"));
        Assert.Null(snapshot.Change(b => b.RemovePolicy("default/p")).FindPolicy("default/p"));
    }

    [Fact]
    public void UnknownName_IsPassedOverAndReported()
    {
        var destination = Pod("a") with { AuthorizationPolicies = ["default/missing"] };
        var decision = PolicyEvaluator.Evaluate(_empty, destination, Facts(Caller));
        Assert.True(decision.Allowed);
        Assert.Equal("default/missing", decision.UnknownPolicy);
    }

    [Fact]
    public void DryRun_NeverDecides_ButIsReported()
    {
        var dryDeny = APolicy("dry-deny", PolicyAction.Deny, matches: Everybody) with { DryRun = true };
        var dryAllow = APolicy("dry-allow", PolicyAction.Allow, matches: Everybody) with { DryRun = true };
        var decision = PolicyEvaluator.Evaluate(_empty.With(dryDeny, dryAllow), Pod("a"), Facts(Caller));
        Assert.Equal(PolicyOutcome.NoAllowPolicies, decision.Outcome);
        Assert.Equal("dry-deny", decision.DryRunDeny?.Name);
        Assert.Equal("dry-allow", decision.DryRunAllow?.Name);

        var refused = _empty.With(dryAllow, APolicy("allow", PolicyAction.Allow, matches: Nobody));
        Check(refused, PolicyOutcome.NoPolicyMatched, null);
        Check(_empty.With(dryDeny, APolicy("deny", PolicyAction.Deny, matches: Everybody)), PolicyOutcome.DeniedByPolicy, "default/deny");
    }

    [Theory]
    [InlineData(PolicyAction.Allow, PolicyOutcome.NoPolicyMatched)]
    [InlineData(PolicyAction.Deny, PolicyOutcome.NoAllowPolicies)]
    public void NoRules_NeverMatch(PolicyAction action, PolicyOutcome expected) => CheckRules([], action, expected);

    [Theory]
    [InlineData(PolicyAction.Allow, PolicyOutcome.AllowedByPolicy)]
    [InlineData(PolicyAction.Deny, PolicyOutcome.DeniedByPolicy)]
    public void EmptyRuleOrClause_MatchesEverything(PolicyAction action, PolicyOutcome expected)
    {
        CheckRules([new PolicyRule([])], action, expected);
        CheckRules([new PolicyRule([new PolicyClause([])])], action, expected);
    }

    [Fact]
    public void EmptyMatch_DoesNotMatch() => CheckRules([new PolicyRule([new PolicyClause([new PolicyMatch()])])], PolicyAction.Deny, PolicyOutcome.NoAllowPolicies);

    [Fact]
    public void Nesting_RulesOr_ClausesAnd_MatchesOr()
    {
        var yes = new PolicyClause([Nobody, Everybody]);
        var no = new PolicyClause([Nobody]);
        CheckRules([new PolicyRule([yes, yes])], PolicyAction.Deny, PolicyOutcome.DeniedByPolicy);
        CheckRules([new PolicyRule([yes, no])], PolicyAction.Deny, PolicyOutcome.NoAllowPolicies);
        CheckRules([new PolicyRule([no]), new PolicyRule([yes])], PolicyAction.Deny, PolicyOutcome.DeniedByPolicy);
        CheckRules([new PolicyRule([no]), new PolicyRule([yes, no])], PolicyAction.Deny, PolicyOutcome.NoAllowPolicies);
    }

    [Fact]
    public void Trace_NamesEachPolicyTried_AndTheFirstClauseThatDidNotMatch()
    {
        var allow = APolicy("allow", PolicyAction.Allow) with
        {
            Rules = [new PolicyRule([new PolicyClause([Everybody]), new PolicyClause([new PolicyMatch { Principals = [StringMatch.Exact("cluster.local/ns/x/sa/y"), StringMatch.Prefix("td/")] }])])],
        };
        var deny = APolicy("deny", PolicyAction.Deny, matches: new PolicyMatch { NotSourceIps = [IpPrefix.Parse("127.0.0.0/8")] });

        var decision = PolicyEvaluator.Evaluate(_empty.With(allow, deny), Pod("a"), Facts(Caller), trace: true);

        Assert.Equal(PolicyOutcome.NoPolicyMatched, decision.Outcome);
        Assert.Equal(Ending.NoPolicyMatched, decision.Ending);
        Assert.Equal(
        [
            new PolicyTrace("default/deny", PolicyAction.Deny, false, false, "rules[0].clauses[0] did not match: not_source_ips 127.0.0.1 is in [127.0.0.0/8]"),
            new PolicyTrace("default/allow", PolicyAction.Allow, false, false, "rules[0].clauses[1] did not match: principals cluster.local/ns/default/sa/client is not in [\"cluster.local/ns/x/sa/y\", \"td/*\"]"),
        ],
        decision.Trace);
    }

    [Fact]
    public void Trace_OfAMatch_NamesTheRule()
    {
        var decision = PolicyEvaluator.Evaluate(_empty.With(APolicy("allow", PolicyAction.Allow, matches: [Nobody, Everybody])), Pod("a"), Facts(SourceIdentities.None), trace: true);
        Assert.Equal("rules[0] matched", Assert.Single(decision.Trace!).Detail);
        Assert.Null(PolicyEvaluator.Evaluate(_empty, Pod("a"), Facts(Caller)).Trace);
    }

    [Fact]
    public void Allowed_WithoutTrace_AllocatesNothing()
    {
        var match = new PolicyMatch { Principals = [StringMatch.Exact("other"), StringMatch.Exact(Caller.Principal)], SourceIps = [IpPrefix.Parse("127.0.0.0/8")], Namespaces = [StringMatch.Prefix("def")] };
        var snapshot = _empty.With(
            APolicy("deny", PolicyAction.Deny, matches: new PolicyMatch { Principals = [StringMatch.Suffix("/sa/evil")], NotSourceIps = [IpPrefix.Parse("2001:db8::/32")] }),
            APolicy("global", PolicyAction.Deny, PolicyScope.Global, "istio-system", Nobody),
            APolicy("selector", PolicyAction.Allow, PolicyScope.WorkloadSelector, "default", match));
        var destination = Pod("a") with { AuthorizationPolicies = ["default/selector", "default/unknown"] };
        var facts = Facts(new SourceIdentities(Caller, new("cluster.local", "x", "y")));
        Assert.True(PolicyEvaluator.Evaluate(snapshot, destination, facts).Allowed);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            PolicyEvaluator.Evaluate(snapshot, destination, facts);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private void CheckRules(ValueList<PolicyRule> rules, PolicyAction action, PolicyOutcome expected) =>
        Check(_empty.With(APolicy("p", action) with { Rules = rules }), expected, expected is PolicyOutcome.AllowedByPolicy or PolicyOutcome.DeniedByPolicy ? "default/p" : null);

    private static void Check(MeshSnapshot snapshot, PolicyOutcome outcome, string? policy, string? reason = null, Workload? destination = null)
    {
        var decision = PolicyEvaluator.Evaluate(snapshot, destination ?? Pod("a"), Facts(Caller));
        Assert.Equal(outcome, decision.Outcome);
        Assert.Equal(policy, decision.PolicyName);
        Assert.Equal(outcome is PolicyOutcome.NoAllowPolicies or PolicyOutcome.AllowedByPolicy, decision.Allowed);
        if (reason is not null)
            Assert.Equal(reason, decision.Reason);
    }
}
