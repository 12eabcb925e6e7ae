using Google.Protobuf;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Status;
using Mesh.IstiodLite.Translation;
using Mesh.Waypoint.V1;
using PolicySource = Mesh.IstiodLite.Resources.PolicySource;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>
/// Policies with targetRefs, for one waypoint: those for its Gateway and its class hold for everything behind it, those for a service for that
/// service. Policies with a selector stay with the destination's ztunnel, which sees the caller's identity beside the waypoint's.
/// </summary>
internal sealed class RequestPolicies
{
    private readonly SortedDictionary<string, IMessage> _policies = new(StringComparer.Ordinal);
    private readonly List<string> _everywhere = [];
    private readonly Dictionary<MeshService, List<string>> _byService = [];

    public RequestPolicies(WaypointInput input, WaypointInfo waypoint, RouteContext context)
    {
        foreach (var policy in input.Resources.AuthorizationPolicies)
            Attach(input, waypoint, policy, () => Authorization(policy, context));
        foreach (var policy in input.Resources.RequestAuthentications)
            Attach(input, waypoint, policy, () => Jwt(policy));
        foreach (var policy in input.Resources.RateLimitPolicies)
            Attach(input, waypoint, policy, () => RateLimits.Convert(policy, context));
    }

    public IReadOnlyDictionary<string, IMessage> All => _policies;

    /// <summary>Null: a workload that is addressed directly.</summary>
    public IEnumerable<string> For(MeshService? service) =>
        (service is not null && _byService.TryGetValue(service, out var own) ? _everywhere.Concat(own) : _everywhere).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);

    private void Attach(WaypointInput input, WaypointInfo waypoint, TargetedPolicy policy, Func<RequestPolicy> convert)
    {
        var name = $"{policy.Kind}/{policy.Namespace}/{policy.Name}";
        foreach (var target in policy.Targets)
        {
            var resolved = TargetStatus.Resolve(policy, target, input.Resources, input.Services, input.Waypoints, input.Settings);
            if (resolved.Reason is not null)
                continue;
            if (resolved.Service is { } service)
            {
                if (service.Binding.Waypoint != waypoint && service.Binding.Canary != waypoint)
                    continue;
                if (!_byService.TryGetValue(service, out var names))
                    _byService[service] = names = [];
                names.Add(name);
            }
            else if (target.Kind is "GatewayClass" ? waypoint.Gateway.ClassName == target.Name : resolved.Waypoint == waypoint)
            {
                _everywhere.Add(name);
            }
            else
            {
                continue;
            }
            if (!_policies.ContainsKey(name))
                _policies[name] = convert();
        }
    }

    private static RequestPolicy Authorization(AuthorizationPolicy policy, RouteContext context)
    {
        var rules = new AuthorizationRules
        {
            Action = policy.Action switch
            {
                PolicyAction.Deny => AuthorizationRules.Types.Action.Deny,
                PolicyAction.Audit => AuthorizationRules.Types.Action.Audit,
                PolicyAction.Custom => AuthorizationRules.Types.Action.Custom,
                _ => AuthorizationRules.Types.Action.Allow,
            },
            DryRun = PolicyTranslator.ParseBool(policy.Meta.Annotation(WellKnown.DryRun)),
            CustomProvider = policy.Provider ?? string.Empty,
            Authorizer = policy.Action is PolicyAction.Custom ? Providers.Authorizer(policy, context) : null,
        };
        foreach (var rule in policy.Rules)
        {
            var converted = new AuthorizationRule();
            converted.From.AddRange(rule.From.Select(s => Source(s, policy.Namespace)));
            converted.To.AddRange(rule.To.Select(Operation));
            foreach (var when in rule.When)
            {
                var condition = new Condition { Key = when.Key };
                condition.Values.AddRange(when.Values);
                condition.NotValues.AddRange(when.NotValues);
                converted.When.Add(condition);
            }
            rules.Rules.Add(converted);
        }
        return new RequestPolicy { Name = policy.Name, Namespace = policy.Namespace, Authorization = rules };
    }

    private static Source Source(PolicySource source, string policyNamespace)
    {
        string Qualified(string account) => account.Contains('/', StringComparison.Ordinal) ? account : $"{policyNamespace}/{account}";
        var result = new Source();
        result.Principals.AddRange(source.Principals);
        result.NotPrincipals.AddRange(source.NotPrincipals);
        result.RequestPrincipals.AddRange(source.RequestPrincipals);
        result.NotRequestPrincipals.AddRange(source.NotRequestPrincipals);
        result.Namespaces.AddRange(source.Namespaces);
        result.NotNamespaces.AddRange(source.NotNamespaces);
        result.IpBlocks.AddRange(source.IpBlocks);
        result.NotIpBlocks.AddRange(source.NotIpBlocks);
        result.RemoteIpBlocks.AddRange(source.RemoteIpBlocks);
        result.NotRemoteIpBlocks.AddRange(source.NotRemoteIpBlocks);
        result.ServiceAccounts.AddRange(source.ServiceAccounts.Select(Qualified));
        result.NotServiceAccounts.AddRange(source.NotServiceAccounts.Select(Qualified));
        result.TrustDomains.AddRange(source.TrustDomains);
        result.NotTrustDomains.AddRange(source.NotTrustDomains);
        return result;
    }

    private static Operation Operation(PolicyOperation operation)
    {
        var result = new Operation();
        result.Hosts.AddRange(operation.Hosts);
        result.NotHosts.AddRange(operation.NotHosts);
        result.Ports.AddRange(operation.Ports);
        result.NotPorts.AddRange(operation.NotPorts);
        result.Methods.AddRange(operation.Methods);
        result.NotMethods.AddRange(operation.NotMethods);
        result.Paths.AddRange(operation.Paths);
        result.NotPaths.AddRange(operation.NotPaths);
        return result;
    }

    private static RequestPolicy Jwt(RequestAuthentication policy)
    {
        var rules = new JwtRules();
        foreach (var rule in policy.Rules)
        {
            var converted = new Mesh.Waypoint.V1.JwtRule
            {
                Issuer = rule.Issuer,
                JwksUri = rule.JwksUri ?? string.Empty,
                Jwks = rule.Jwks ?? string.Empty,
                OutputPayloadToHeader = rule.OutputPayloadToHeader ?? string.Empty,
                ForwardOriginalToken = rule.ForwardOriginalToken,
                Timeout = ProtoParts.Of(rule.Timeout ?? TimeSpan.FromSeconds(5)),
            };
            converted.Audiences.AddRange(rule.Audiences);
            converted.FromHeaders.AddRange(rule.FromHeaders.Select(h => new JwtLocation { Name = h.Name, Prefix = h.Prefix }));
            converted.FromParams.AddRange(rule.FromParams);
            converted.FromCookies.AddRange(rule.FromCookies);
            converted.OutputClaimToHeaders.AddRange(rule.OutputClaimToHeaders.Select(c => new ClaimToHeader { Header = c.Header, Claim = c.Claim }));
            converted.SpaceDelimitedClaims.AddRange(rule.SpaceDelimitedClaims);
            rules.Rules.Add(converted);
        }
        return new RequestPolicy { Name = policy.Name, Namespace = policy.Namespace, Jwt = rules };
    }
}
