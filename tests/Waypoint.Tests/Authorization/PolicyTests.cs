using Mesh.Waypoint.Authorization;

namespace Mesh.Waypoint.Tests.Authorization;

public sealed class PolicyTests
{
    private static V1.AuthorizationRule Rule(Action<V1.Source>? from = null, Action<V1.Operation>? to = null, params V1.Condition[] when)
    {
        var rule = new V1.AuthorizationRule { When = { when } };
        if (from is not null)
        {
            var source = new V1.Source();
            from(source);
            rule.From.Add(source);
        }

        if (to is not null)
        {
            var operation = new V1.Operation();
            to(operation);
            rule.To.Add(operation);
        }

        return rule;
    }

    private static PolicySet Set(V1.AuthorizationRules.Types.Action action, params V1.AuthorizationRule[] rules) => Set([Policy("p", action, rules)]);

    private static PolicySet Set(IReadOnlyCollection<CompiledPolicy> policies, params string[] missing) => new(policies, missing);

    private static CompiledPolicy Policy(string name, V1.AuthorizationRules.Types.Action action, V1.AuthorizationRule[] rules, bool dryRun = false) => new(
        name,
        new AuthorizationRuleSet(new V1.RequestPolicy { Name = $"AuthorizationPolicy/shop/{name}", Namespace = "shop", Authorization = new V1.AuthorizationRules { Action = action, DryRun = dryRun, Rules = { rules } } }),
        null);

    private const V1.AuthorizationRules.Types.Action Allow = V1.AuthorizationRules.Types.Action.Allow;
    private const V1.AuthorizationRules.Types.Action Deny = V1.AuthorizationRules.Types.Action.Deny;

    [Fact]
    public void NoPolicy_Anything_IsAllowed() => Assert.True(Set([]).Evaluate(Requests.Facts(Requests.Get("/"))).IsAllowed);

    [Fact]
    public void Allow_WithoutRules_DeniesAll()
    {
        var verdict = Set(Allow).Evaluate(Requests.Facts(Requests.Get("/")));
        Assert.False(verdict.IsAllowed);
        Assert.Equal("rbac_access_denied_matched_policy[none]", verdict.Details);
    }

    [Fact]
    public void Allow_EmptyRule_AllowsAll() => Assert.True(Set(Allow, new V1.AuthorizationRule()).Evaluate(Requests.Facts(Requests.Get("/"))).IsAllowed);

    [Fact]
    public void Deny_Matching_NamesPolicyAndRule()
    {
        var set = Set([Policy("open", Allow, [new V1.AuthorizationRule()]), Policy("closed", Deny, [Rule(to: o => o.Methods.Add("PUT")), Rule(to: o => o.Paths.Add("/admin*"))])]);
        Assert.Equal("rbac_access_denied_matched_policy[ns[shop]-policy[closed]-rule[1]]", set.Evaluate(Requests.Facts(Requests.Get("/admin/x"))).Details);
        Assert.True(set.Evaluate(Requests.Facts(Requests.Get("/other"))).IsAllowed);
    }

    [Fact]
    public void Policy_AnnouncedButNotReceived_FailsClosed() =>
        Assert.False(Set([Policy("open", Allow, [new V1.AuthorizationRule()])], "AuthorizationPolicy/shop/late").Evaluate(Requests.Facts(Requests.Get("/"))).IsAllowed);

    [Fact]
    public void Custom_Matching_IsOneQuestionPerAuthorizer()
    {
        var set = Set(V1.AuthorizationRules.Types.Action.Custom, Rule(to: o => o.Paths.Add("/checked")));
        Assert.Single(set.MatchingCustom(Requests.Facts(Requests.Get("/checked"))));
        Assert.Empty(set.MatchingCustom(Requests.Facts(Requests.Get("/free"))));

        // What HTTP rules would say of a connection that is not HTTP nobody knows: it is asked about.
        Assert.Single(set.MatchingCustom(Requests.Tcp(Requests.Storefront)));
    }

    [Fact]
    public void DryRun_Deny_ChangesNothing() =>
        Assert.True(Set([Policy("try", Deny, [new V1.AuthorizationRule()], dryRun: true)]).Evaluate(Requests.Facts(Requests.Get("/"))).IsAllowed);

    [Theory]
    [InlineData("cluster.local/ns/shop/sa/storefront", true)]
    [InlineData("*/sa/storefront", true)]
    [InlineData("cluster.local/ns/shop/*", true)]
    [InlineData("*", true)]
    [InlineData("cluster.local/ns/shop/sa/store", false)]
    public void Principals_Patterns_MatchTheCertificatesIdentity(string pattern, bool expected) =>
        Assert.Equal(expected, Set(Allow, Rule(from: s => s.Principals.Add(pattern))).Evaluate(Requests.Facts(Requests.Get("/"))).IsAllowed);

    [Fact]
    public void NotPrincipals_CallerWithoutIdentity_StillHolds() =>
        Assert.True(Set(Allow, Rule(from: s => s.NotPrincipals.Add("cluster.local/ns/x/sa/y"))).Evaluate(Requests.Facts(Requests.Make("GET", "/", caller: null))).IsAllowed);

    [Fact]
    public void Tcp_AllowWithHttpFields_NeverAllows_DenyIgnoresThem()
    {
        var caller = Requests.Tcp(Requests.Storefront);
        Assert.False(Set(Allow, Rule(from: s => s.Namespaces.Add("shop"), to: o => o.Paths.Add("/x"))).Evaluate(caller).IsAllowed);
        Assert.True(Set(Allow, Rule(from: s => s.Namespaces.Add("shop"), to: o => o.Ports.Add("80"))).Evaluate(caller).IsAllowed);
        Assert.False(Set(Deny, Rule(from: s => s.Namespaces.Add("shop"), to: o => o.Paths.Add("/x"))).Evaluate(caller).IsAllowed);
        Assert.True(Set(Deny, Rule(from: s => s.Namespaces.Add("other"), to: o => o.Paths.Add("/x"))).Evaluate(caller).IsAllowed);
    }

    [Theory]
    [InlineData("/users/{*}", "/users/7", true)]
    [InlineData("/users/{*}", "/users/7/x", false)]
    [InlineData("/users/{*}", "/users/", false)]
    [InlineData("/files/{**}", "/files/a/b", true)]
    [InlineData("/files/{**}", "/files/", true)]
    [InlineData("/files/{**}", "/files", false)]
    [InlineData("/mix/{*}/tail/{**}", "/mix/a/tail/b/c", true)]
    [InlineData("/mix/{*}/tail/{**}", "/mix/a/b/tail/c", false)]
    public void PathTemplates_Operators_MatchSegments(string template, string path, bool expected) => Assert.Equal(expected, new PathPattern(template).Matches(path));

    [Theory]
    [InlineData("/foo/{**}/x/{*}")]
    [InlineData("/foo/a{*}")]
    [InlineData("/foo/{*}/b*")]
    public void PathTemplates_WithoutMeaning_AreRefused(string template) => Assert.Throws<ConfigurationException>(() => new PathPattern(template));

    [Fact]
    public void Condition_UnknownKey_IsRefusedNotIgnored()
    {
        var e = Assert.Throws<ConfigurationException>(() => Set(Allow, Rule(when: new V1.Condition { Key = "request.weather", Values = { "sunny" } })));
        Assert.Contains("request.weather", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void IpBlocks_RealClientAddress_CountsNotTheHeader()
    {
        var set = Set(Allow, Rule(from: s => s.IpBlocks.Add("198.18.1.0/24")));
        Assert.True(set.Evaluate(Requests.Facts(Requests.Get("/", ("x-forwarded-for", "203.0.113.1")))).IsAllowed);
        var remote = Set(Allow, Rule(from: s => s.RemoteIpBlocks.Add("198.18.1.0/24")));
        Assert.False(remote.Evaluate(Requests.Facts(Requests.Get("/", ("x-forwarded-for", "198.18.1.9, 203.0.113.1")))).IsAllowed);
    }
}
