using System.Globalization;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

internal static class SecurityDecoder
{
    public static Resource PeerAuthentication(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("status");
        IReadOnlyDictionary<string, string>? selector = null;
        var mode = MutualTlsMode.Unset;
        List<(int, MutualTlsMode)> ports = [];
        root.Object("spec", spec =>
        {
            selector = EntryDecoder.Labels(spec, "selector", "matchLabels");
            spec.Object("mtls", m => mode = Mode(m));
            var written = spec.Map("portLevelMtls", (node, field) =>
            {
                var portMode = MutualTlsMode.Unset;
                spec.ReadObject<object>(node, field, m =>
                {
                    portMode = Mode(m);
                    return m;
                });
                return (node.Line, Mode: portMode);
            });
            foreach (var (key, value) in written ?? new Dictionary<string, (int Line, MutualTlsMode Mode)>(StringComparer.Ordinal))
            {
                if (int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= 65535)
                    ports.Add((port, value.Mode));
                else
                    spec.Faults.Add(value.Line, $"portLevelMtls names the port \"{key}\"", "use a number from 1 to 65535");
            }
        });
        return new PeerAuthentication { Meta = meta, Position = position, Selector = selector, Mode = mode, PortModes = [.. ports.OrderBy(p => p.Item1)] };
    }

    public static Resource AuthorizationPolicy(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("status");
        return root.Object("spec", spec => new AuthorizationPolicy
        {
            Meta = meta,
            Position = position,
            Selector = EntryDecoder.Labels(spec, "selector", "matchLabels"),
            Targets = Targets(spec),
            Action = spec.Choice("action", PolicyAction.Allow, ("ALLOW", PolicyAction.Allow), ("DENY", PolicyAction.Deny), ("AUDIT", PolicyAction.Audit), ("CUSTOM", PolicyAction.Custom)),
            Provider = spec.Object("provider", p => p.String("name") ?? ""),
            Rules = spec.Objects("rules", Rule),
        }) ?? new AuthorizationPolicy { Meta = meta, Position = position };
    }

    public static Resource RequestAuthentication(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("status");
        return root.Object("spec", spec => new RequestAuthentication
        {
            Meta = meta,
            Position = position,
            Selector = EntryDecoder.Labels(spec, "selector", "matchLabels"),
            Targets = Targets(spec),
            Rules = spec.Objects("jwtRules", Jwt),
        }) ?? new RequestAuthentication { Meta = meta, Position = position };
    }

    private static MutualTlsMode Mode(FieldReader m) => m.Choice("mode", MutualTlsMode.Unset,
        ("UNSET", MutualTlsMode.Unset), ("DISABLE", MutualTlsMode.Disable), ("PERMISSIVE", MutualTlsMode.Permissive), ("STRICT", MutualTlsMode.Strict));

    public static IReadOnlyList<PolicyTarget> Targets(FieldReader spec)
    {
        var list = spec.Objects("targetRefs", Target);
        var single = spec.Object("targetRef", Target);
        return single is null ? list : [single, .. list];
    }

    private static PolicyTarget Target(FieldReader t)
    {
        t.Ignore("namespace");
        return new PolicyTarget(t.String("group") ?? "", t.Required("kind"), t.Required("name"));
    }

    private static PolicyRule Rule(FieldReader r) => new(
        r.Objects("from", f => f.Object("source", Source) ?? new PolicySource()),
        r.Objects("to", t => t.Object("operation", Operation) ?? new PolicyOperation()),
        r.Objects("when", w => new PolicyCondition(w.Required("key"), w.Strings("values"), w.Strings("notValues")) { Line = w.Line }));

    private static PolicySource Source(FieldReader s) => new()
    {
        Line = s.Line,
        Principals = s.Strings("principals"),
        NotPrincipals = s.Strings("notPrincipals"),
        RequestPrincipals = s.Strings("requestPrincipals"),
        NotRequestPrincipals = s.Strings("notRequestPrincipals"),
        Namespaces = s.Strings("namespaces"),
        NotNamespaces = s.Strings("notNamespaces"),
        ServiceAccounts = s.Strings("serviceAccounts"),
        NotServiceAccounts = s.Strings("notServiceAccounts"),
        TrustDomains = s.Strings("trustDomains"),
        NotTrustDomains = s.Strings("notTrustDomains"),
        IpBlocks = s.Strings("ipBlocks"),
        NotIpBlocks = s.Strings("notIpBlocks"),
        RemoteIpBlocks = s.Strings("remoteIpBlocks"),
        NotRemoteIpBlocks = s.Strings("notRemoteIpBlocks"),
    };

    private static PolicyOperation Operation(FieldReader o) => new()
    {
        Line = o.Line,
        Hosts = o.Strings("hosts"),
        NotHosts = o.Strings("notHosts"),
        Ports = o.Strings("ports"),
        NotPorts = o.Strings("notPorts"),
        Methods = o.Strings("methods"),
        NotMethods = o.Strings("notMethods"),
        Paths = o.Strings("paths"),
        NotPaths = o.Strings("notPaths"),
    };

    private static JwtRule Jwt(FieldReader j)
    {
        return new JwtRule
        {
            Issuer = j.String("issuer") ?? "",
            Audiences = j.Strings("audiences"),
            JwksUri = j.String("jwksUri") ?? j.String("jwks_uri"),
            Jwks = j.String("jwks"),
            FromHeaders = j.Objects("fromHeaders", h => new JwtHeader(h.Required("name"), h.String("prefix") ?? "")),
            FromParams = j.Strings("fromParams"),
            FromCookies = j.Strings("fromCookies"),
            OutputPayloadToHeader = j.String("outputPayloadToHeader"),
            ForwardOriginalToken = j.Bool("forwardOriginalToken") ?? false,
            OutputClaimToHeaders = j.Objects("outputClaimToHeaders", h => new JwtClaimHeader(h.Required("header"), h.Required("claim"))),
            Timeout = j.Duration("timeout"),
            SpaceDelimitedClaims = j.Strings("spaceDelimitedClaims"),
        };
    }
}
