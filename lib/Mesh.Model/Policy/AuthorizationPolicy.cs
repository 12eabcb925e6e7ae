using Mesh.Model.Collections;

namespace Mesh.Model.Policy;

public enum PolicyScope
{
    Global,
    Namespace,
    WorkloadSelector,
}

public enum PolicyAction
{
    Allow,
    Deny,
}

/// <summary>Who may (ALLOW) or may not (DENY) connect. Rules are alternatives.</summary>
/// <remarks>
/// Shapes: no rules never matches; a rule without clauses matches everything; a clause without matches matches; a match in
/// which every list is empty does not match.
/// </remarks>
public sealed record AuthorizationPolicy
{
    public required string Name { get; init; }

    public required string Namespace { get; init; }

    public PolicyScope Scope { get; init; }

    public PolicyAction Action { get; init; }

    /// <summary>Evaluated and reported, never enforced.</summary>
    public bool DryRun { get; init; }

    public ValueList<PolicyRule> Rules { get; init; }

    /// <summary>Conditions that this version does not understand: in an ALLOW policy they never hold, in a DENY policy they are passed over.</summary>
    public int UnreadableConditions { get; init; }

    /// <summary><c>namespace/name</c>, as logs and people call it.</summary>
    public string QualifiedName => $"{Namespace}/{Name}";
}

/// <summary>All clauses must match.</summary>
public sealed record PolicyRule(ValueList<PolicyClause> Clauses);

/// <summary>One of the matches must match.</summary>
public sealed record PolicyClause(ValueList<PolicyMatch> Matches);

public sealed record ServiceAccountMatch(string Namespace, string ServiceAccount);
