using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Status;
using Sec = Istio.Security;

namespace Mesh.IstiodLite.Translation;

/// <summary>All policies of one translation: what ztunnels are sent, who references what, and what the statuses say.</summary>
internal sealed class PolicySet
{
    private readonly SortedDictionary<string, Sec.Authorization> _authorizations = new(StringComparer.Ordinal);

    /// <param name="resources">Where the policies are.</param>
    /// <param name="settings">What else decides.</param>
    /// <param name="inRevision">Which of them are ours.</param>
    /// <param name="previous">Made with the same settings: what it made of a policy holds while the policy is the same object.</param>
    public PolicySet(ResourceSet resources, MeshSettings settings, Func<Resource, bool> inRevision, PolicySet? previous)
    {
        var published = new List<AuthorizationPolicy>();
        var statuses = new List<StatusEntry>();
        var translations = new Dictionary<AuthorizationPolicy, PolicyTranslation>();
        foreach (var policy in resources.AuthorizationPolicies.Where(r => inRevision(r)))
        {
            var translation = previous?.Translations.GetValueOrDefault(policy) ?? PolicyTranslator.Translate(policy, settings);
            translations[policy] = translation;
            if (translation.Status is not null)
                statuses.Add(translation.Status);
            if (translation.Authorization is null)
                continue;
            _authorizations[$"{policy.Namespace}/{policy.Name}"] = translation.Authorization;
            published.Add(policy);
        }
        var peers = new PeerAuthenticationTranslator(settings, [.. resources.PeerAuthentications.Where(r => inRevision(r))]);
        foreach (var authorization in peers.Authorizations())
            _authorizations[$"{authorization.Namespace}/{authorization.Name}"] = authorization;
        Statuses = statuses;
        Translations = translations;
        ForWorkloads = new WorkloadPolicies(settings, peers, published);
    }

    public IReadOnlyDictionary<string, Sec.Authorization> Authorizations => _authorizations;
    public IReadOnlyList<StatusEntry> Statuses { get; }
    public IReadOnlyDictionary<AuthorizationPolicy, PolicyTranslation> Translations { get; }
    public WorkloadPolicies ForWorkloads { get; }

    /// <summary>PILOT_AUTO_ALLOW_WAYPOINT_POLICY: what a workload's waypoint needs to reach it although other ALLOW policies exist.</summary>
    public IReadOnlyDictionary<string, Sec.Authorization> WithWaypointsAllowed(IEnumerable<MeshWorkload> workloads, MeshSettings settings)
    {
        if (!settings.AutoAllowWaypoint)
            return _authorizations;
        var result = new SortedDictionary<string, Sec.Authorization>(_authorizations, StringComparer.Ordinal);
        foreach (var workload in workloads.Where(w => w.Binding.Waypoint is { ServiceAccounts.Count: > 0 }))
        {
            var waypoint = workload.Binding.Waypoint!;
            var name = WorkloadPolicies.WaypointAllowName(waypoint);
            if (result.ContainsKey($"{workload.Wds.Namespace}/{name}"))
                continue;
            var match = new Sec.Match();
            foreach (var account in waypoint.ServiceAccounts)
                match.Principals.Add(new Sec.StringMatch { Exact = $"{settings.TrustDomain}/ns/{waypoint.Namespace}/sa/{account}" });
            var clause = new Sec.Clause();
            clause.Matches.Add(match);
            var rule = new Sec.Rule();
            rule.Clauses.Add(clause);
            var policy = new Sec.Authorization { Name = name, Namespace = workload.Wds.Namespace, Scope = Sec.Scope.WorkloadSelector, Action = Sec.Action.Allow };
            policy.Rules.Add(rule);
            result[$"{workload.Wds.Namespace}/{name}"] = policy;
        }
        return result;
    }
}
