using Mesh.Model.Workloads;

namespace Mesh.Model.Policy;

/// <summary>One evaluation. Policies in force: global ones, those of the workload's namespace, those its record names.</summary>
internal readonly ref struct EvaluationRun(MeshSnapshot snapshot, Workload destination, ConnectionFacts facts, List<PolicyTrace>? trace)
{
    // Longest principal that is written on the stack; longer ones (names have no limit on the wire) go to the heap.
    private const int StackPrincipal = 256;

    public PolicyDecision Decide()
    {
        // Each principal is spelled once for all string matches of all policies.
        var identities = facts.SourceIdentities;
        var firstLength = identities.Count > 0 ? identities[0].PrincipalLength : 0;
        var secondLength = identities.Count > 1 ? identities[1].PrincipalLength : 0;
        var total = firstLength + secondLength;
        Span<char> text = total <= StackPrincipal ? stackalloc char[StackPrincipal] : new char[total];
        if (identities.Count > 0)
            identities[0].TryFormatPrincipal(text, out _);
        if (identities.Count > 1)
            identities[1].TryFormatPrincipal(text[firstLength..], out _);
        var subject = new PolicySubject(facts, text[..firstLength], text.Slice(firstLength, secondLength));

        var deny = Scan(PolicyAction.Deny, subject);
        if (deny.Matched is not null)
            return Result(PolicyOutcome.DeniedByPolicy, deny.Matched, deny, default);
        var allow = Scan(PolicyAction.Allow, subject);
        var outcome = allow.Matched is not null ? PolicyOutcome.AllowedByPolicy
            : allow.AnyInForce ? PolicyOutcome.NoPolicyMatched
            : PolicyOutcome.NoAllowPolicies;
        return Result(outcome, allow.Matched, deny, allow);
    }

    private PolicyDecision Result(PolicyOutcome outcome, AuthorizationPolicy? policy, in Findings deny, in Findings allow) => new()
    {
        Outcome = outcome,
        Policy = policy,
        DryRunDeny = deny.DryRun,
        DryRunAllow = allow.DryRun,
        UnknownPolicy = deny.Unknown,
        Trace = trace,
    };

    private Findings Scan(PolicyAction action, in PolicySubject subject)
    {
        var findings = default(Findings);
        foreach (var policy in snapshot.PoliciesOfNamespace(destination.Namespace))
        {
            if (Try(policy, action, subject, ref findings))
                return findings;
        }

        // The same list twice would only cost time.
        if (destination.Namespace.Length > 0)
        {
            foreach (var policy in snapshot.PoliciesOfNamespace(""))
            {
                if (Try(policy, action, subject, ref findings))
                    return findings;
            }
        }

        foreach (var name in destination.AuthorizationPolicies)
        {
            if (snapshot.FindPolicy(name) is not { } policy)
                findings.Unknown ??= name;
            else if (Try(policy, action, subject, ref findings))
                return findings;
        }

        return findings;
    }

    /// <summary>True when this policy decides.</summary>
    private bool Try(AuthorizationPolicy policy, PolicyAction action, in PolicySubject subject, ref Findings findings)
    {
        if (policy.Action != action)
            return false;
        findings.AnyInForce |= !policy.DryRun;
        var matched = PolicyMatcher.Matches(policy, subject);
        trace?.Add(new(policy.QualifiedName, policy.Action, policy.DryRun, matched, PolicyExplainer.Explain(policy, subject)));
        if (!matched)
            return false;
        if (policy.DryRun)
        {
            findings.DryRun ??= policy;
            return false;
        }

        findings.Matched = policy;
        return true;
    }

    private struct Findings
    {
        public AuthorizationPolicy? Matched;
        public AuthorizationPolicy? DryRun;
        public string? Unknown;
        public bool AnyInForce;
    }
}
