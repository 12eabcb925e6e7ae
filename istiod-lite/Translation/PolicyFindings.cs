using System.Text.RegularExpressions;
using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation;

/// <summary>Parts of AuthorizationPolicies that no request can ever match, each with the reason.</summary>
internal static partial class PolicyFindings
{
    public static void Add(List<Problem> problems, FindingInput input)
    {
        var namespaces = input.Workloads.Select(w => w.Wds.Namespace).Concat(input.Resources.Namespaces.Select(n => n.Name)).ToHashSet(StringComparer.Ordinal);
        foreach (var policy in input.Resources.AuthorizationPolicies)
        {
            foreach (var rule in policy.Rules)
            {
                foreach (var source in rule.From)
                    Report(problems, policy, source.Line, "source", Source(policy, source, namespaces, input));
                foreach (var operation in rule.To)
                    Report(problems, policy, operation.Line, "operation", Operation(operation));
                foreach (var when in rule.When)
                    Report(problems, policy, when.Line, $"condition on {when.Key}", Condition(policy, when, input));
            }
        }
    }

    private static void Report(List<Problem> problems, AuthorizationPolicy policy, int line, string part, (string Reason, string Fix)? fault)
    {
        if (fault is not var (reason, fix))
            return;
        var so = policy.Action switch
        {
            PolicyAction.Allow => "so it allows nothing",
            PolicyAction.Deny => "so it denies nothing",
            _ => "so it does nothing",
        };
        problems.Add(Problem.Warning(policy, $"this {part} can never match: {reason}, {so}", fix, line));
    }

    private static (string, string)? Source(AuthorizationPolicy policy, PolicySource source, HashSet<string> namespaces, FindingInput input)
    {
        if (Excluded(source.Principals, source.NotPrincipals) is { } principal)
            return ($"principals and notPrincipals both name {principal}", "remove one of the two");
        if (Excluded(source.Namespaces, source.NotNamespaces) is { } excluded)
            return ($"namespaces and notNamespaces both name {excluded}", "remove one of the two");
        if (Excluded(source.IpBlocks, source.NotIpBlocks) is { } block)
            return ($"ipBlocks and notIpBlocks both name {block}", "remove one of the two");
        if (AllOf(source.Principals, p => PrincipalFault(p, input.Settings.TrustDomain)) is { } wrong)
            return wrong;
        var absent = source.Namespaces.Where(n => !n.Contains('*', StringComparison.Ordinal) && !namespaces.Contains(n)).ToList();
        if (source.Namespaces.Count > 0 && absent.Count == source.Namespaces.Count)
            return ($"there is no namespace {string.Join(" and no namespace ", absent)}", "correct the name, or ignore this if the namespace is still to come");
        if (source.Principals.Count > 0 && source.Namespaces.Count > 0 && source.Principals.All(p => NamespaceOf(p) is { } ns && !source.Namespaces.Any(n => Matches(n, ns))))
            return ($"none of its principals is of the namespaces {string.Join(", ", source.Namespaces)}", "remove namespaces: a principal names its own");
        if (policy.Targets.Count == 0 && source.TrustDomains.Count + source.NotTrustDomains.Count > 0)
            return ("the destination's ztunnel cannot check trust domains", "use principals such as example.com/*, or targetRefs to a Service or Gateway with a waypoint");
        if (policy.Targets.Count > 0 && source.RequestPrincipals.Count > 0 && !ChecksTokens(policy, input))
            return ("it asks for a token, but no RequestAuthentication checks tokens there", "add a RequestAuthentication with the same targetRefs");
        return null;
    }

    private static (string, string)? Operation(PolicyOperation operation)
    {
        if (Excluded(operation.Ports, operation.NotPorts) is { } port)
            return ($"ports and notPorts both name {port}", "remove one of the two");
        if (Excluded(operation.Methods, operation.NotMethods) is { } excluded)
            return ($"methods and notMethods both name {excluded}", "remove one of the two");
        if (Excluded(operation.Paths, operation.NotPaths) is { } path)
            return ($"paths and notPaths both name {path}", "remove one of the two");
        if (AllOf(operation.Methods, m => m.Any(char.IsAsciiLetterLower) ? ($"the method is {m}, but methods are upper case", $"write {m.ToUpperInvariant()}") : null) is { } method)
            return method;
        return AllOf(operation.Paths, p => p[0] is not ('/' or '*') ? ($"the path is {p}, but paths begin with /", $"write /{p}") : null);
    }

    private static (string, string)? Condition(AuthorizationPolicy policy, PolicyCondition when, FindingInput input)
    {
        if (Excluded(when.Values, when.NotValues) is { } value)
            return ($"values and notValues both name {value}", "remove one of the two");
        if (when.Key is "source.principal" && AllOf(when.Values, p => PrincipalFault(p, input.Settings.TrustDomain)) is { } wrong)
            return wrong;
        if (policy.Targets.Count > 0 && when.Key.StartsWith("request.auth.", StringComparison.Ordinal) && when.Values.Count > 0 && !ChecksTokens(policy, input))
            return ("it asks for a token, but no RequestAuthentication checks tokens there", "add a RequestAuthentication with the same targetRefs");
        return null;
    }

    /// <summary>Null: some identity may match it.</summary>
    private static (string, string)? PrincipalFault(string principal, string trustDomain)
    {
        if (principal.StartsWith("spiffe://", StringComparison.Ordinal))
            return ($"the principal {principal} is written with spiffe://, identities are compared without", "remove spiffe://");
        if (principal.Length > 2 && principal.AsSpan(1, principal.Length - 2).Contains('*'))
            return ($"the principal {principal} has a * inside, where it is an ordinary character", "use * only as the first or the last character");
        if (principal.Contains('*', StringComparison.Ordinal))
            return null;
        if (!Identity().IsMatch(principal))
            return ($"the principal {principal} is no identity", $"write it like {trustDomain}/ns/default/sa/name");
        return principal.StartsWith(trustDomain + "/", StringComparison.Ordinal)
            ? null
            : ($"the principal {principal} is of another trust domain than the mesh ({trustDomain})", $"write {trustDomain}{principal[principal.IndexOf('/', StringComparison.Ordinal)..]}");
    }

    /// <summary>The fault of the first if every single one has a fault.</summary>
    private static (string, string)? AllOf(IReadOnlyList<string> values, Func<string, (string, string)?> fault) =>
        values.Count > 0 && values.All(v => fault(v) is not null) ? fault(values[0]) : null;

    /// <summary>The first value if the other list takes every single one out again.</summary>
    private static string? Excluded(IReadOnlyList<string> values, IReadOnlyList<string> not) => values.Count > 0 && values.All(v => not.Any(n => Matches(n, v))) ? values[0] : null;

    private static bool Matches(string pattern, string value) =>
        pattern is "*" || pattern == value
        || (pattern.EndsWith('*') && value.StartsWith(pattern[..^1], StringComparison.Ordinal)) || (pattern.StartsWith('*') && value.EndsWith(pattern[1..], StringComparison.Ordinal));

    private static string? NamespaceOf(string principal) => Identity().Match(principal) is { Success: true } match ? match.Groups["ns"].Value : null;

    private static bool ChecksTokens(AuthorizationPolicy policy, FindingInput input) => input.Resources.RequestAuthentications.Any(r => r.Rules.Count > 0
        && (r.Targets.Any(t => t.Kind is "Gateway" or "GatewayClass") || (r.Namespace == policy.Namespace && r.Targets.Any(t => policy.Targets.Contains(t))) || policy.Targets.Any(t => t.Kind is "Gateway" or "GatewayClass")));

    [GeneratedRegex(@"\A[^/]+/ns/(?<ns>[^/]+)/sa/[^/]+\z", RegexOptions.ExplicitCapture)]
    private static partial Regex Identity();
}
