using Google.Protobuf.WellKnownTypes;
using Mesh.IstiodLite.Resources;
using Sec = Istio.Security;

namespace Mesh.IstiodLite.Translation;

/// <summary>
/// PeerAuthentication as deny rules for plaintext (reference: istiod 4.4). ztunnel accepts plaintext unless a policy forbids it, so only the
/// requirement of mutual TLS is expressed; DISABLE counts as PERMISSIVE.
/// </summary>
internal sealed class PeerAuthenticationTranslator
{
    public const string StaticStrictName = "istio_converted_static_strict";
    private readonly MeshSettings _settings;
    private readonly Dictionary<string, MutualTlsMode> _namespaceModes = new(StringComparer.Ordinal);
    private readonly ILookup<string, PeerAuthentication> _selecting;
    private readonly MutualTlsMode _meshMode;
    private readonly bool _any;
    private readonly Dictionary<PeerAuthentication, Sec.Authorization> _converted = [];

    /// <param name="settings">Names the root namespace.</param>
    /// <param name="all">Oldest first: the oldest of a level counts.</param>
    public PeerAuthenticationTranslator(MeshSettings settings, IReadOnlyList<PeerAuthentication> all)
    {
        _settings = settings;
        _any = all.Count > 0;
        _meshMode = all.FirstOrDefault(p => p.Namespace == settings.RootNamespace && !p.HasSelector)?.Mode ?? MutualTlsMode.Unset;
        foreach (var policy in all.Where(p => p.Namespace != settings.RootNamespace && !p.HasSelector))
            _namespaceModes.TryAdd(policy.Namespace, policy.Mode);
        _selecting = all.Where(p => p.HasSelector && p.Namespace != settings.RootNamespace).ToLookup(p => p.Namespace, StringComparer.Ordinal);
        // An empty selector counts as none for the mode, but its ports are still published, as Istio does; nobody references them.
        foreach (var policy in all.Where(p => p.Selector is not null && p.PortModes.Count > 0 && p.Namespace != settings.RootNamespace))
        {
            if (Convert(policy) is { } converted)
                _converted[policy] = converted;
        }
    }

    private string StaticStrictKey => $"{_settings.RootNamespace}/{StaticStrictName}";

    public IEnumerable<Sec.Authorization> Authorizations()
    {
        if (_any)
            yield return StaticStrict();
        foreach (var converted in _converted.Values)
            yield return converted;
    }

    /// <summary>Names of the converted policies that a workload with these labels references.</summary>
    public IEnumerable<string> For(string ns, IReadOnlyDictionary<string, string> labels)
    {
        if (!_any)
            return [];
        var policy = _selecting[ns].FirstOrDefault(p => LabelSelector.Matches(p.Selector!, labels));
        if (policy is not null && _converted.ContainsKey(policy))
            return [$"{policy.Namespace}/{ConvertedName(policy)}"];
        var mode = policy is null || policy.Mode is MutualTlsMode.Unset ? ParentMode(ns) : policy.Mode;
        return mode is MutualTlsMode.Strict ? [StaticStrictKey] : [];
    }

    private static string ConvertedName(PeerAuthentication policy) => $"converted_peer_authentication_{policy.Name}";

    private MutualTlsMode ParentMode(string ns)
    {
        var mode = _namespaceModes.GetValueOrDefault(ns);
        return mode is MutualTlsMode.Unset ? _meshMode : mode;
    }

    private Sec.Authorization StaticStrict()
    {
        var policy = New(_settings.RootNamespace, StaticStrictName);
        policy.Rules.Add(Rule(Plaintext()));
        return policy;
    }

    private Sec.Authorization? Convert(PeerAuthentication source)
    {
        var parentStrict = ParentMode(source.Namespace) is MutualTlsMode.Strict;
        var exempt = source.PortModes.Where(p => p.Mode is MutualTlsMode.Permissive or MutualTlsMode.Disable).Select(p => (uint)p.Port).ToList();
        var strict = source.PortModes.Where(p => p.Mode is MutualTlsMode.Strict).Select(p => (uint)p.Port).ToList();
        var policy = New(source.Namespace, ConvertedName(source));
        if (source.Mode is MutualTlsMode.Strict)
        {
            if (exempt.Count == 0)
                return null;
            var rule = Rule([Plaintext(), .. exempt.Select(NotPort)]);
            // Istio repeats the condition under a strict parent; harmless, and kept so that dumps compare.
            if (parentStrict && source.HasSelector)
                rule.Clauses.Add(Clause(Plaintext()));
            policy.Rules.Add(rule);
        }
        else if (source.Mode is MutualTlsMode.Unset && parentStrict)
        {
            if (exempt.Count == 0)
                return null;
            policy.Rules.Add(Rule([.. exempt.Select(NotPort), Plaintext()]));
        }
        else
        {
            if (strict.Count == 0)
                return null;
            foreach (var port in strict)
            {
                var match = Plaintext();
                match.DestinationPorts.Add(port);
                policy.Rules.Add(Rule(match));
            }
        }
        return policy;
    }

    private static Sec.Authorization New(string ns, string name) =>
        new() { Name = name, Namespace = ns, Action = Sec.Action.Deny, Scope = Sec.Scope.WorkloadSelector };

    private static Sec.Match Plaintext()
    {
        var match = new Sec.Match();
        match.NotPrincipals.Add(new Sec.StringMatch { Presence = new Empty() });
        return match;
    }

    private static Sec.Match NotPort(uint port)
    {
        var match = new Sec.Match();
        match.NotDestinationPorts.Add(port);
        return match;
    }

    private static Sec.Clause Clause(Sec.Match match)
    {
        var clause = new Sec.Clause();
        clause.Matches.Add(match);
        return clause;
    }

    private static Sec.Rule Rule(params ReadOnlySpan<Sec.Match> all)
    {
        var rule = new Sec.Rule();
        foreach (var match in all)
            rule.Clauses.Add(Clause(match));
        return rule;
    }
}
