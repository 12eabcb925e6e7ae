using Mesh.Waypoint.Authorization.External;

namespace Mesh.Waypoint.Authorization;

/// <summary>One AuthorizationPolicy, compiled.</summary>
internal sealed class AuthorizationRuleSet
{
    private readonly Rule[] _rules;

    public AuthorizationRuleSet(V1.RequestPolicy policy)
    {
        Namespace = policy.Namespace;

        // The resource name is "kind/namespace/name"; people know the last part.
        Name = policy.Name[(policy.Name.LastIndexOf('/') + 1)..];
        Action = policy.Authorization.Action;
        IsDryRun = policy.Authorization.DryRun;
        Authorizer = ExternalAuthorizer.Compile(policy.Authorization.Authorizer);
        LooksAtPaths = policy.Authorization.Rules.Any(r => r.To.Any(o => o.Paths.Count + o.NotPaths.Count > 0));
        _rules = [.. policy.Authorization.Rules.Select(r => new Rule(r))];
    }

    public string Namespace { get; }

    public string Name { get; }

    public V1.AuthorizationRules.Types.Action Action { get; }

    public bool IsDryRun { get; }

    /// <summary>A rule has paths or notPaths: how the application reads the path matters.</summary>
    public bool LooksAtPaths { get; }

    /// <summary>Whom a CUSTOM policy asks; null where its provider is not known.</summary>
    public ExternalAuthorizer? Authorizer { get; }

    /// <summary>The index of the first rule that holds; null: none. Rules without clauses hold always, a policy without rules never.</summary>
    public int? FirstMatch(in PolicyFacts facts)
    {
        // What cannot be judged must never allow, and must not keep a denial from being as broad as its other parts say (reference 3.4).
        var ignoreHttp = Action is not V1.AuthorizationRules.Types.Action.Allow;
        for (var i = 0; i < _rules.Length; i++)
        {
            if (_rules[i].Holds(facts, ignoreHttp))
                return i;
        }

        return null;
    }

    private sealed class Rule(V1.AuthorizationRule rule)
    {
        private readonly SourceClause[] _from = [.. rule.From.Select(s => new SourceClause(s))];
        private readonly OperationClause[] _to = [.. rule.To.Select(o => new OperationClause(o))];
        private readonly ConditionClause[] _when = [.. rule.When.Select(c => new ConditionClause(c))];

        public bool Holds(in PolicyFacts facts, bool ignoreHttp)
        {
            if (_from.Length > 0 && !AnySource(facts, ignoreHttp))
                return false;
            if (_to.Length > 0 && !AnyOperation(facts, ignoreHttp))
                return false;
            foreach (var condition in _when)
            {
                if (!Counts(condition.Evaluate(facts), ignoreHttp))
                    return false;
            }

            return true;
        }

        private bool AnySource(in PolicyFacts facts, bool ignoreHttp)
        {
            foreach (var source in _from)
            {
                if (Counts(source.Evaluate(facts), ignoreHttp))
                    return true;
            }

            return false;
        }

        private bool AnyOperation(in PolicyFacts facts, bool ignoreHttp)
        {
            foreach (var operation in _to)
            {
                if (Counts(operation.Evaluate(facts), ignoreHttp))
                    return true;
            }

            return false;
        }

        private static bool Counts(ClauseResult result, bool ignoreHttp) =>
            result == ClauseResult.Holds || (ignoreHttp && result == ClauseResult.NotApplicable);
    }
}
