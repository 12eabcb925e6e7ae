using System.Collections.Concurrent;
using Mesh.Waypoint.RateLimiting;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Transport;

namespace Mesh.Waypoint.Authorization;

/// <summary>Allowed, or denied with the text for the access log.</summary>
/// <param name="Explanation">What details do not say, for the decision record.</param>
internal readonly record struct Verdict(bool IsAllowed, string? Details, string? Explanation = null)
{
    /// <summary>What access logs name where the readings of a path disagree.</summary>
    public const string AmbiguousPath = "ambiguous_path";

    public static readonly Verdict Allowed = new(true, null);

    /// <summary>A CUSTOM policy whose provider cannot be asked denies what it matches (security rule: fail closed).</summary>
    public static Verdict Unaskable(AuthorizationRuleSet policy) => new(false, $"ext_authz_error[{policy.Namespace}/{policy.Name}: no such provider]");
}

/// <summary>All policies by resource name, and per destination those that apply to it. Immutable apart from its cache of the second.</summary>
internal sealed class PolicyTable(IReadOnlyDictionary<string, CompiledPolicy> policies)
{
    public static readonly PolicyTable Empty = new(new Dictionary<string, CompiledPolicy>());

    private readonly ConcurrentDictionary<Destination, PolicySet> _sets = new();

    public PolicySet For(Destination destination) => _sets.TryGetValue(destination, out var set) ? set : _sets.GetOrAdd(destination, Build);

    private PolicySet Build(Destination destination)
    {
        var found = new List<CompiledPolicy>();
        var missing = new List<string>();
        foreach (var name in destination.PolicyNames)
        {
            if (policies.TryGetValue(name, out var policy))
                found.Add(policy);
            else
                missing.Add(name);
        }

        return new PolicySet(found, missing);
    }
}

/// <summary>One resource: one of the kinds.</summary>
internal sealed record CompiledPolicy(string Name, AuthorizationRuleSet? Authorization, JwtPolicy? Jwt)
{
    public RateLimitPolicy? RateLimits { get; init; }
}

/// <summary>The policies of one destination in the order of evaluation (reference 3.1).</summary>
internal sealed class PolicySet
{
    private readonly AuthorizationRuleSet[] _deny;
    private readonly AuthorizationRuleSet[] _allow;
    private readonly AuthorizationRuleSet[] _custom;
    private readonly AuthorizationRuleSet[] _dryRun;
    private readonly string? _missing;
    private readonly bool _looksAtPaths;
    private readonly bool _customLooksAtPaths;

    public PolicySet(IReadOnlyCollection<CompiledPolicy> policies, IReadOnlyList<string> missing)
    {
        // A policy that was announced and is not here could be a denial: nothing passes until it is.
        _missing = missing.Count > 0 ? missing[0] : null;
        var all = policies.Where(p => p.Authorization is not null).Select(p => p.Authorization!).OrderBy(p => p.Namespace, StringComparer.Ordinal).ThenBy(p => p.Name, StringComparer.Ordinal).ToArray();
        var rules = all.Where(r => !r.IsDryRun).ToArray();
        _dryRun = [.. all.Where(r => r.IsDryRun)];
        _deny = [.. rules.Where(r => r.Action == V1.AuthorizationRules.Types.Action.Deny)];
        _allow = [.. rules.Where(r => r.Action == V1.AuthorizationRules.Types.Action.Allow)];
        _custom = [.. rules.Where(r => r.Action == V1.AuthorizationRules.Types.Action.Custom)];
        _looksAtPaths = _deny.Concat(_allow).Any(p => p.LooksAtPaths);
        _customLooksAtPaths = Array.Exists(_custom, p => p.LooksAtPaths);
        RateLimits = [.. policies.Where(p => p.RateLimits is not null).Select(p => p.RateLimits!).OrderBy(p => p.Name, StringComparer.Ordinal)];
        Jwt = JwtRule.InOrder(policies.Where(p => p.Jwt is not null).Select(p => p.Jwt!));
    }

    public JwtRule[] Jwt { get; }

    public IReadOnlyList<RateLimitPolicy> RateLimits { get; }

    public bool HasCustom => _custom.Length > 0;

    /// <summary>CUSTOM policies with a rule that holds; of several for one authorizer the first.</summary>
    public IReadOnlyList<AuthorizationRuleSet> MatchingCustom(in PolicyFacts facts)
    {
        var matching = new List<AuthorizationRuleSet>();
        foreach (var policy in _custom)
        {
            if (policy.FirstMatch(facts) is not null && (policy.Authorizer is null || !matching.Exists(m => m.Authorizer?.Name == policy.Authorizer.Name)))
                matching.Add(policy);
        }

        return matching;
    }

    /// <summary>DENY, then ALLOW; CUSTOM is asked before.</summary>
    public Verdict Evaluate(in PolicyFacts facts)
    {
        if (_missing is not null)
            return new Verdict(false, $"rbac_access_denied_policy_not_received[{_missing}]");

        foreach (var policy in _deny)
        {
            if (policy.FirstMatch(facts) is { } rule)
                return new Verdict(false, $"rbac_access_denied_matched_policy[ns[{policy.Namespace}]-policy[{policy.Name}]-rule[{rule}]]");
        }

        if (_allow.Length == 0)
            return Verdict.Allowed;
        foreach (var policy in _allow)
        {
            if (policy.FirstMatch(facts) is not null)
                return Verdict.Allowed;
        }

        return new Verdict(false, "rbac_access_denied_matched_policy[none]");
    }

    /// <summary>
    /// As <see cref="Evaluate"/>, and what would be allowed is so only if it would be under every way in which the application may read the path.
    /// </summary>
    public Verdict EvaluateReadings(in PolicyFacts facts)
    {
        var verdict = Evaluate(facts);
        if (!verdict.IsAllowed || !_looksAtPaths || facts.Request is not { } request || !PathReadings.MayDiffer(request.Path))
            return verdict;
        if (PathReadings.Of(request.Path) is not { } readings)
            return TooManyReadings;
        for (var i = 1; i < readings.Count; i++)
        {
            var other = Evaluate(facts with { Request = request with { Path = readings[i] } });
            if (!other.IsAllowed)
                return new Verdict(false, Verdict.AmbiguousPath, $"the application may read the path as {readings[i]}: {other.Details}");
        }

        return verdict;
    }

    /// <summary>Whether somebody else would be asked if the application read the path in another way; null: nobody.</summary>
    public Verdict? CustomReadings(in PolicyFacts facts, IReadOnlyList<AuthorizationRuleSet> matching)
    {
        if (!_customLooksAtPaths || facts.Request is not { } request || !PathReadings.MayDiffer(request.Path))
            return null;
        if (PathReadings.Of(request.Path) is not { } readings)
            return TooManyReadings;
        for (var i = 1; i < readings.Count; i++)
        {
            var other = MatchingCustom(facts with { Request = request with { Path = readings[i] } });
            if (other.Any(p => !matching.Any(m => ReferenceEquals(m, p) || (p.Authorizer is not null && m.Authorizer?.Name == p.Authorizer.Name))))
                return new Verdict(false, Verdict.AmbiguousPath, $"the application may read the path as {readings[i]}, and then another authorizer would be asked");
        }

        return null;
    }

    private static readonly Verdict TooManyReadings = new(false, Verdict.AmbiguousPath, "the path can be read in too many ways");

    public bool HasDryRun => _dryRun.Length > 0;

    /// <summary>
    /// What the policies under dry run alone would do, DENY before ALLOW, for logs and records. CUSTOM is only said to match: nobody is asked for a rehearsal.
    /// </summary>
    public string EvaluateDryRun(in PolicyFacts facts)
    {
        AuthorizationRuleSet? allowing = null;
        var hasAllow = false;
        foreach (var policy in _dryRun)
        {
            var rule = policy.FirstMatch(facts);
            switch (policy.Action)
            {
                case V1.AuthorizationRules.Types.Action.Deny when rule is not null:
                    return $"denied by {policy.Namespace}/{policy.Name} rule {rule}";
                case V1.AuthorizationRules.Types.Action.Custom when rule is not null:
                    return $"would be asked by {policy.Namespace}/{policy.Name} rule {rule}";
                case V1.AuthorizationRules.Types.Action.Allow:
                    hasAllow = true;
                    allowing ??= rule is null ? null : policy;
                    break;
            }
        }

        return allowing is not null ? $"allowed by {allowing.Namespace}/{allowing.Name}" : hasAllow ? "denied: none of the ALLOW policies matches" : "allowed";
    }

    public Verdict EvaluateTcp(InboundConnection connection) => Evaluate(PolicyFacts.OfConnection(connection));
}
