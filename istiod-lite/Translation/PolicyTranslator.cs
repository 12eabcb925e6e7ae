using System.Globalization;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Status;
using Sec = Istio.Security;

namespace Mesh.IstiodLite.Translation;

/// <summary>The ztunnel form of one AuthorizationPolicy (null: none) and what its status says.</summary>
internal sealed record PolicyTranslation(Sec.Authorization? Authorization, StatusEntry? Status, IReadOnlyCollection<string> Unsupported, string? Effect);

/// <summary>AuthorizationPolicy to <c>istio.security.Authorization</c> (reference: istiod 4.2, 4.3).</summary>
internal static class PolicyTranslator
{
    public static PolicyTranslation Translate(AuthorizationPolicy policy, MeshSettings settings)
    {
        if (policy.Targets.Count > 0)
            return new PolicyTranslation(null, null, [], null);
        if (policy.Action is PolicyAction.Custom or PolicyAction.Audit)
            return Dropped(policy, $"ztunnel does not support the {(policy.Action is PolicyAction.Custom ? "CUSTOM" : "AUDIT")} action");
        var dryRun = ParseBool(policy.Meta.Annotation(WellKnown.DryRun));
        if (dryRun && !settings.DryRunPolicies)
            return Dropped(policy, $"found policy \"{policy.Namespace}/{policy.Name}\" using dry-run annotation, but support for ambient dry-run authorizationPolicies isn't enabled");

        var unsupported = new SortedSet<string>(StringComparer.Ordinal);
        var result = new Sec.Authorization
        {
            Name = policy.Name,
            Namespace = policy.Namespace,
            Scope = policy.Selector is not null ? Sec.Scope.WorkloadSelector : policy.Namespace == settings.RootNamespace ? Sec.Scope.Global : Sec.Scope.Namespace,
            Action = policy.Action is PolicyAction.Deny ? Sec.Action.Deny : Sec.Action.Allow,
            DryRun = dryRun,
        };
        var enforceable = false;
        foreach (var rule in policy.Rules)
        {
            var translated = RuleTranslator.Translate(rule, policy.Namespace, unsupported, out var usesL7);
            // An ALLOW rule that cannot be checked completely must not allow anything.
            if (usesL7 && policy.Action is PolicyAction.Allow)
                continue;
            enforceable |= !translated.Clauses.Any(c => c.Matches.All(RuleTranslator.IsEmpty));
            result.Rules.Add(translated);
        }
        if (unsupported.Count == 0)
            return new PolicyTranslation(result, Condition(policy, status: true, "Accepted", "attached to ztunnel"), unsupported, null);

        var effect = policy.Action is PolicyAction.Allow
            ? "Within an ALLOW policy, rules matching HTTP attributes are omitted. This will be more restrictive than requested."
            : enforceable
                ? "DENY policy with HTTP attributes is enforced without the HTTP rules. This will be more restrictive than requested."
                : "After omitting unsupported HTTP attributes, this DENY policy has no enforceable rules at ztunnel and will have no effect. Deploy a waypoint proxy and use a targetRef to enforce this policy.";
        var message = $"ztunnel does not support HTTP attributes (found: {string.Join(", ", unsupported)}). In ambient mode you must use a waypoint proxy to enforce HTTP rules. {effect}";
        return new PolicyTranslation(result, Condition(policy, status: true, "UnsupportedValue", message), unsupported, effect);
    }

    private static PolicyTranslation Dropped(AuthorizationPolicy policy, string message) =>
        new(null, Condition(policy, status: false, "UnsupportedValue", message), [], message);

    private static StatusEntry Condition(AuthorizationPolicy policy, bool status, string reason, string message) =>
        StatusEntry.Conditions(policy, StatusEntry.ZtunnelPolicyWriter, StatusEntry.Condition("ZtunnelAccepted", status, reason, message, StatusEntry.IstioGeneration(policy)));

    /// <summary>Go's strconv.ParseBool; what it cannot read counts as false, so the policy is enforced.</summary>
    public static bool ParseBool(string? text) => text is "1" or "t" or "T" or "true" or "TRUE" or "True";
}

/// <summary>One rule: every clause (to, from, each when) must hold; a clause holds if any of its matches does.</summary>
internal static class RuleTranslator
{
    private static readonly Sec.Match _empty = new();

    public static bool IsEmpty(Sec.Match match) => match.Equals(_empty);

    public static Sec.Rule Translate(PolicyRule rule, string policyNamespace, ISet<string> unsupported, out bool usesL7)
    {
        var before = unsupported.Count;
        var found = new SortedSet<string>(StringComparer.Ordinal);
        var result = new Sec.Rule();
        if (rule.To.Count > 0)
        {
            var clause = new Sec.Clause();
            clause.Matches.AddRange(rule.To.Select(o => Operation(o, found)));
            result.Clauses.Add(clause);
        }
        if (rule.From.Count > 0)
        {
            var clause = new Sec.Clause();
            clause.Matches.AddRange(rule.From.Select(s => Source(s, policyNamespace, found)));
            result.Clauses.Add(clause);
        }
        foreach (var condition in rule.When)
        {
            var clause = new Sec.Clause();
            clause.Matches.Add(Condition(condition, found));
            result.Clauses.Add(clause);
        }
        unsupported.UnionWith(found);
        usesL7 = found.Count > 0;
        return result;
    }

    private static Sec.Match Operation(PolicyOperation operation, ISet<string> unsupported)
    {
        var match = new Sec.Match();
        match.DestinationPorts.AddRange(Ports(operation.Ports));
        match.NotDestinationPorts.AddRange(Ports(operation.NotPorts));
        Note(unsupported, "hosts", operation.Hosts);
        Note(unsupported, "notHosts", operation.NotHosts);
        Note(unsupported, "methods", operation.Methods);
        Note(unsupported, "notMethods", operation.NotMethods);
        Note(unsupported, "paths", operation.Paths);
        Note(unsupported, "notPaths", operation.NotPaths);
        return match;
    }

    private static Sec.Match Source(PolicySource source, string policyNamespace, ISet<string> unsupported)
    {
        var match = new Sec.Match();
        match.Principals.AddRange(source.Principals.Select(Pattern));
        match.NotPrincipals.AddRange(source.NotPrincipals.Select(Pattern));
        match.Namespaces.AddRange(source.Namespaces.Select(Pattern));
        match.NotNamespaces.AddRange(source.NotNamespaces.Select(Pattern));
        match.ServiceAccounts.AddRange(source.ServiceAccounts.Select(a => Account(a, policyNamespace)));
        match.NotServiceAccounts.AddRange(source.NotServiceAccounts.Select(a => Account(a, policyNamespace)));
        match.SourceIps.AddRange(Addresses(source.IpBlocks));
        match.NotSourceIps.AddRange(Addresses(source.NotIpBlocks));
        Note(unsupported, "remoteIpBlocks", source.RemoteIpBlocks);
        Note(unsupported, "notRemoteIpBlocks", source.NotRemoteIpBlocks);
        Note(unsupported, "requestPrincipals", source.RequestPrincipals);
        Note(unsupported, "notRequestPrincipals", source.NotRequestPrincipals);
        return match;
    }

    private static Sec.Match Condition(PolicyCondition condition, ISet<string> unsupported)
    {
        var match = new Sec.Match();
        switch (condition.Key)
        {
            case "source.ip":
                match.SourceIps.AddRange(Addresses(condition.Values));
                match.NotSourceIps.AddRange(Addresses(condition.NotValues));
                break;
            case "source.namespace":
                match.Namespaces.AddRange(condition.Values.Select(Pattern));
                match.NotNamespaces.AddRange(condition.NotValues.Select(Pattern));
                break;
            case "source.principal":
                match.Principals.AddRange(condition.Values.Select(Pattern));
                match.NotPrincipals.AddRange(condition.NotValues.Select(Pattern));
                break;
            case "destination.ip":
                match.DestinationIps.AddRange(Addresses(condition.Values));
                match.NotDestinationIps.AddRange(Addresses(condition.NotValues));
                break;
            case "destination.port":
                match.DestinationPorts.AddRange(Ports(condition.Values));
                match.NotDestinationPorts.AddRange(Ports(condition.NotValues));
                break;
            default:
                unsupported.Add(condition.Key);
                break;
        }
        return match;
    }

    private static void Note(ISet<string> unsupported, string name, IReadOnlyList<string> values)
    {
        if (values.Count > 0)
            unsupported.Add(name);
    }

    private static IEnumerable<uint> Ports(IEnumerable<string> texts) =>
        texts.Select(t => uint.TryParse(t, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port <= 65535 ? (uint?)port : null).OfType<uint>();

    private static IEnumerable<Sec.Address> Addresses(IEnumerable<string> texts)
    {
        foreach (var text in texts)
        {
            if (IpBytes.ParsePrefix(text) is { } prefix)
                yield return new Sec.Address { Address_ = IpBytes.Of(prefix.Address), Length = (uint)prefix.Length };
        }
    }

    private static Sec.ServiceAccountMatch Account(string text, string policyNamespace)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        return slash < 0
            ? new Sec.ServiceAccountMatch { Namespace = policyNamespace, ServiceAccount = text }
            : new Sec.ServiceAccountMatch { Namespace = text[..slash], ServiceAccount = text[(slash + 1)..] };
    }

    /// <summary>"*" present, "*x" suffix, "x*" prefix, anything else exact.</summary>
    private static Sec.StringMatch Pattern(string text)
    {
        if (text is "*")
            return new Sec.StringMatch { Presence = new Google.Protobuf.WellKnownTypes.Empty() };
        if (text.StartsWith('*'))
            return new Sec.StringMatch { Suffix = text[1..] };
        return text.EndsWith('*') ? new Sec.StringMatch { Prefix = text[..^1] } : new Sec.StringMatch { Exact = text };
    }
}
