using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Status;
using Mesh.IstiodLite.Waypoints;

namespace Mesh.IstiodLite.Translation;

/// <summary>Everything that looking for likely mistakes needs to know.</summary>
internal sealed record FindingInput(
    ResourceSet Resources, MeshSettings Settings, ServiceCatalog Services, IReadOnlyList<MeshWorkload> Workloads, PolicySet Policies, EndpointAccounts Accounts, WaypointCatalog Waypoints,
    IReadOnlyDictionary<string, WaypointConfiguration> Configurations);

/// <summary>What is valid but probably not what its writer meant: warnings that name the document and the fix. Istio is silent about most of them.</summary>
internal static class Findings
{
    public static void Add(List<Problem> problems, FindingInput input)
    {
        AddPolicies(problems, input);
        AddTargets(problems, input);
        AddBindings(problems, input);
        AddHosts(problems, input);
        LabelFindings.Add(problems, input.Resources);
        ProxyConfigFindings.Add(problems, input);
        var endpoints = new EndpointIndex(input.Workloads);
        PolicyFindings.Add(problems, input);
        RuleFindings.Add(problems, input, endpoints);
        OutlierFindings.Add(problems, input.Configurations.Values, input.Services, new DestinationRules(input.Resources, input.Settings), endpoints);
    }

    private static void AddPolicies(List<Problem> problems, FindingInput input)
    {
        foreach (var (policy, translation) in input.Policies.Translations.OrderBy(t => t.Key.Key.ToString(), StringComparer.Ordinal))
        {
            if (translation.Effect is { } effect)
            {
                var what = translation.Unsupported.Count > 0 ? $"the destination's ztunnel cannot check {string.Join(", ", translation.Unsupported)}: {Plain(policy, effect)}" : effect;
                problems.Add(Problem.Warning(policy, what, "use targetRefs to a Service or Gateway with a waypoint instead of a selector"));
            }
            AddSelector(problems, input, policy, policy.Selector, policy.Namespace == input.Settings.RootNamespace ? null : policy.Namespace);
        }
        foreach (var policy in input.Resources.PeerAuthentications)
        {
            if (policy.HasSelector && policy.Namespace == input.Settings.RootNamespace)
                problems.Add(Problem.Warning(policy, $"a PeerAuthentication with a selector has no effect in the root namespace {policy.Namespace}", "remove the selector, or put it into the workload's namespace"));
            else
                AddSelector(problems, input, policy, policy.Selector, policy.Namespace);
        }
        foreach (var policy in input.Resources.RequestAuthentications.Where(p => p.Targets.Count == 0))
            problems.Add(Problem.Warning(policy, "a RequestAuthentication without targetRefs reaches no waypoint, so no token is checked", "add targetRefs to a Service or Gateway with a waypoint"));
    }

    private static string Plain(AuthorizationPolicy policy, string effect) => policy.Action is PolicyAction.Allow
        ? "the rules that need it allow nothing, which is more restrictive than written"
        : effect.Contains("no effect", StringComparison.Ordinal) ? "the policy has no effect" : "the rest of the rule denies more than written";

    private static void AddSelector(List<Problem> problems, FindingInput input, Resource policy, IReadOnlyDictionary<string, string>? selector, string? ns)
    {
        if (selector is { Count: > 0 } && !input.Workloads.Any(w => (ns is null || w.Wds.Namespace == ns) && LabelSelector.Matches(selector, w.Labels)))
        {
            problems.Add(Problem.Warning(policy, $"its selector ({string.Join(", ", selector.Select(s => $"{s.Key}={s.Value}").Order(StringComparer.Ordinal))}) selects no workload{(ns is null ? "" : $" of the namespace {ns}")}",
                "correct the labels, or ignore this if the workload is still to come"));
        }
    }

    private static void AddTargets(List<Problem> problems, FindingInput input)
    {
        foreach (var policy in input.Resources.AuthorizationPolicies.Cast<TargetedPolicy>().Concat(input.Resources.RequestAuthentications).Concat(input.Resources.RateLimitPolicies))
        {
            foreach (var target in policy.Targets)
            {
                var resolved = TargetStatus.Resolve(policy, target, input.Resources, input.Services, input.Waypoints, input.Settings);
                if (resolved.Reason is not null)
                    problems.Add(Problem.Warning(policy, $"its target {target.Kind} {target.Name} cannot enforce it ({resolved.Reason}: {resolved.Message})", "correct the name, or give the target a waypoint"));
            }
        }
    }

    private static void AddBindings(List<Problem> problems, FindingInput input)
    {
        foreach (var service in input.Services.All.Where(s => s.Binding.Failure is not null))
            problems.Add(Problem.Warning(service.Source, $"no waypoint stands before it: {service.Binding.Failure!.Message}", "correct the label istio.io/use-waypoint, or the Gateway"));
        foreach (var service in input.Resources.Services)
        {
            if (input.Accounts.MixedOf(service) is not { } accounts)
                continue;
            problems.Add(Problem.Warning(service, $"its endpoints run under several service accounts ({string.Join(", ", accounts)}), so a waypoint for one of them does not stand before the service",
                "split the service by account, or bind it with the label istio.io/use-waypoint"));
        }
        foreach (var waypoint in input.Waypoints.All.Where(w => w.ForServiceAccount is not null).OrderBy(w => w.Id, StringComparer.Ordinal))
        {
            if (!input.Workloads.Any(w => w.Binding.Waypoint == waypoint) && !input.Services.All.Any(s => s.Binding.Waypoint == waypoint))
                problems.Add(Problem.Warning(waypoint.Gateway, $"nothing runs under the service account {waypoint.ForServiceAccount} of the namespace {waypoint.Namespace}", $"correct {WellKnown.ForServiceAccount}, or ignore this if the workload is still to come"));
        }
    }

    private static void AddHosts(List<Problem> problems, FindingInput input)
    {
        var hostnames = input.Services.All.Select(s => s.Hostname).ToHashSet(StringComparer.Ordinal);
        foreach (var rule in input.Resources.DestinationRules)
        {
            var host = HostNames.Resolve(rule.Host, rule.Namespace, input.Settings.ClusterDomain);
            if (!Exists(host, hostnames))
                problems.Add(Problem.Warning(rule, $"no Service and no ServiceEntry has the host {host}", "correct the host, or ignore this if the service is still to come"));
        }
        foreach (var routes in input.Resources.VirtualServices.Where(v => v.AppliesToMesh))
        {
            foreach (var host in routes.Hosts.Select(h => HostNames.Resolve(h, routes.Namespace, input.Settings.ClusterDomain)))
            {
                if (!Exists(host, hostnames))
                    problems.Add(Problem.Warning(routes, $"no Service and no ServiceEntry has the host {host}", "correct the host, or ignore this if the service is still to come"));
                else if (routes.Http.Count > 0 && input.Services.WithHostname(host) is { Count: > 0 } services && services.All(s => s.Binding.Waypoint is null))
                    problems.Add(Problem.Warning(routes, $"{host} has no waypoint, so its routes are not in force", "give the service a waypoint: a Gateway of class istio-waypoint and the label istio.io/use-waypoint, or istio.io/for-service-account on the Gateway"));
            }
        }
    }

    private static bool Exists(string host, HashSet<string> hostnames) => host.StartsWith('*') ? hostnames.Any(h => HostNames.Matches(host, h)) : hostnames.Contains(host);
}
