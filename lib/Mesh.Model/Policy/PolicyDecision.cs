namespace Mesh.Model.Policy;

/// <summary>Which rule of the order decided.</summary>
public enum PolicyOutcome
{
    /// <summary>No ALLOW policy is in force, and no DENY matched.</summary>
    NoAllowPolicies,

    AllowedByPolicy,
    DeniedByPolicy,

    /// <summary>ALLOW policies are in force and none matched.</summary>
    NoPolicyMatched,
}

/// <summary>The result for one connection. Costs no allocation unless <see cref="Trace"/> was asked for.</summary>
public readonly record struct PolicyDecision
{
    public required PolicyOutcome Outcome { get; init; }

    /// <summary>The policy that matched; null when none did.</summary>
    public AuthorizationPolicy? Policy { get; init; }

    /// <summary>A DENY in dry run that would have refused.</summary>
    public AuthorizationPolicy? DryRunDeny { get; init; }

    /// <summary>An ALLOW in dry run that would have let it pass.</summary>
    public AuthorizationPolicy? DryRunAllow { get; init; }

    /// <summary>A name in the workload's list that is not known (yet). It is passed over, so an ALLOW that is missing lets traffic pass: worth a warning.</summary>
    public string? UnknownPolicy { get; init; }

    public IReadOnlyList<PolicyTrace>? Trace { get; init; }

    public bool Allowed => Outcome is PolicyOutcome.NoAllowPolicies or PolicyOutcome.AllowedByPolicy;

    public string? PolicyName => Policy?.QualifiedName;

    public Ending Ending => Outcome switch
    {
        PolicyOutcome.DeniedByPolicy => Ending.DeniedByPolicy,
        PolicyOutcome.NoPolicyMatched => Ending.NoPolicyMatched,
        _ => Ending.Ok,
    };

    /// <summary>The refusals are spelled as the Rust ztunnel spells them: people search for these texts.</summary>
    public string Reason => Outcome switch
    {
        PolicyOutcome.DeniedByPolicy => $"explicitly denied by: {PolicyName}",
        PolicyOutcome.NoPolicyMatched => "allow policies exist, but none allowed",
        PolicyOutcome.AllowedByPolicy => $"allowed by: {PolicyName}",
        _ => "no allow policies, allowed",
    };
}

/// <summary>What became of one policy. <see cref="Detail"/> names the first clause that did not match, or the rule that did.</summary>
public sealed record PolicyTrace(string Policy, PolicyAction Action, bool DryRun, bool Matched, string Detail);
