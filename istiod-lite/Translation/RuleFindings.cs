using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Waypoints;

namespace Mesh.IstiodLite.Translation;

/// <summary>DestinationRules that do less than their writer expects, and subsets that nobody defines or that select nothing.</summary>
internal static class RuleFindings
{
    public static void Add(List<Problem> problems, FindingInput input, EndpointIndex endpoints)
    {
        foreach (var rule in input.Resources.DestinationRules)
        {
            foreach (var refusal in Policies(rule).Select(p => p.Refusal).OfType<UnsupportedRule>())
            {
                problems.Add(Problem.Error(rule, $"{refusal.Field} is not supported: what a waypoint would send to {rule.Host} by this rule is refused instead of being sent without it",
                    $"remove {refusal.Field}, or let the traffic pass by the waypoint", refusal.Line));
            }
            var host = HostNames.Resolve(rule.Host, rule.Namespace, input.Settings.ClusterDomain);
            var services = input.Services.WithHostname(host);
            if (services.Count > 0 && services.All(s => s.Binding.Waypoint is null) && (rule.TrafficPolicy is not null || rule.Subsets.Count > 0) && !IsDestination(host, input))
                problems.Add(Problem.Warning(rule, $"{host} has no waypoint, so the rule is not in force", "give the service a waypoint: a Gateway of class istio-waypoint and the label istio.io/use-waypoint, or istio.io/for-service-account on the Gateway"));
            foreach (var service in services)
                AddSubsets(problems, rule, service, endpoints);
        }
        AddUndefined(problems, input);
        foreach (var policy in input.Resources.BackendTlsPolicies)
        {
            if (policy.MissingAuthority(input.Resources) is { } missing)
                problems.Add(Problem.Error(policy, $"the ConfigMap {policy.Namespace}/{missing} with its authority is not there: requests to its targets are refused", $"add the ConfigMap with the key {BackendTlsPolicy.AuthorityKey}, or correct the name"));
        }
    }

    private static IEnumerable<TrafficPolicy> Policies(DestinationRule rule) => rule.Subsets.Select(s => s.Policy).Prepend(rule.TrafficPolicy).OfType<TrafficPolicy>()
        .SelectMany(p => p.PortLevel.Select(l => l.Policy).Prepend(p));

    private static void AddSubsets(List<Problem> problems, DestinationRule rule, MeshService service, EndpointIndex endpoints)
    {
        var serving = endpoints.WorkloadsOf(service).ToList();
        foreach (var subset in rule.Subsets.Where(s => s.Labels.Count > 0 && serving.Count > 0 && !serving.Exists(w => LabelSelector.Matches(s.Labels, w.Labels))))
        {
            problems.Add(Problem.Warning(rule, $"the subset {subset.Name} ({string.Join(", ", subset.Labels.Select(l => $"{l.Key}={l.Value}").Order(StringComparer.Ordinal))}) selects none of the {serving.Count} endpoints of {service.Hostname}",
                "correct its labels, or ignore this if the endpoints are still to come", subset.Line));
        }
    }

    /// <summary>Behind a waypoint the translation of the route says so; elsewhere the mistake would show only once there is one.</summary>
    private static void AddUndefined(List<Problem> problems, FindingInput input)
    {
        foreach (var routes in input.Resources.VirtualServices.Where(v => v.AppliesToMesh && !v.Hosts.Any(h => HasWaypoint(h, v, input))))
        {
            var destinations = routes.Http.SelectMany(h => h.Route.Select(r => r.Destination).Concat(h.Mirrors.Select(m => m.Destination)))
                .Concat(routes.Tcp.Concat(routes.Tls).SelectMany(t => t.Route.Select(r => r.Destination)));
            foreach (var destination in destinations.Where(d => d.Subset is not null))
            {
                var host = HostNames.Resolve(destination.Host, routes.Namespace, input.Settings.ClusterDomain);
                var defined = input.Resources.DestinationRules.Any(r => HostNames.Matches(HostNames.Resolve(r.Host, r.Namespace, input.Settings.ClusterDomain), host) && r.Subsets.Any(s => s.Name == destination.Subset));
                if (!defined)
                    problems.Add(Problem.Warning(routes, $"sends requests to subset {destination.Subset} of {host}, which nobody defines", $"define the subset {destination.Subset} in a DestinationRule for {host}", destination.Line));
            }
        }
    }

    private static bool HasWaypoint(string host, VirtualService routes, FindingInput input) =>
        input.Services.WithHostname(HostNames.Resolve(host, routes.Namespace, input.Settings.ClusterDomain)).Any(s => s.Binding.Waypoint is not null);

    /// <summary>True if some other service's waypoint may send there: then the rule holds for what it sends.</summary>
    private static bool IsDestination(string host, FindingInput input) =>
        input.Configurations.Values.Any(c => c.Clusters.Keys.Any(k => ClusterTranslator.PartsOf(k).Key.EndsWith("/" + host, StringComparison.Ordinal)));
}
