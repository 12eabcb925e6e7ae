namespace Mesh.IstiodLite.Tests.Translation;

/// <summary>Parts of policies that no request can match, and rules that are not in force.</summary>
public sealed class PolicyFindingTests
{
    private const string Allow = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec:\n  selector: { matchLabels: { app: payment } }\n  rules:\n  - RULE\n";
    private static readonly string _world = Documents.PaymentService + Documents.PaymentWaypoint + Documents.Pod("p", "payment", "198.18.2.2");

    [Theory]
    [InlineData("from: [ { source: { principals: [ 'spiffe://cluster.local/ns/default/sa/a' ] } } ]", "written with spiffe://", "remove spiffe://")]
    [InlineData("from: [ { source: { principals: [ 'cluster.local/ns/*/sa/a' ] } } ]", "has a * inside", "first or the last")]
    [InlineData("from: [ { source: { principals: [ 'order-service' ] } } ]", "is no identity", "cluster.local/ns/default/sa/name")]
    [InlineData("from: [ { source: { principals: [ 'old.example/ns/default/sa/a' ] } } ]", "another trust domain", "write cluster.local/ns/default/sa/a")]
    [InlineData("from: [ { source: { principals: [ 'cluster.local/ns/other/sa/a' ], namespaces: [ default ] } } ]", "none of its principals is of the namespaces default", "remove namespaces")]
    [InlineData("from: [ { source: { namespaces: [ ghost ] } } ]", "there is no namespace ghost", "correct the name")]
    [InlineData("from: [ { source: { namespaces: [ default ], notNamespaces: [ 'def*' ] } } ]", "namespaces and notNamespaces both name default", "remove one")]
    [InlineData("from: [ { source: { trustDomains: [ cluster.local ] } } ]", "cannot check trust domains", "use principals")]
    [InlineData("to: [ { operation: { ports: [ '80' ], notPorts: [ '80' ] } } ]", "ports and notPorts both name 80", "remove one")]
    [InlineData("to: [ { operation: { methods: [ get ] } } ]", "methods are upper case", "write GET")]
    [InlineData("to: [ { operation: { paths: [ admin ] } } ]", "paths begin with /", "write /admin")]
    [InlineData("when: [ { key: source.principal, values: [ 'spiffe://x' ] } ]", "written with spiffe://", "remove spiffe://")]
    public void PartThatNeverMatches_IsNamedWithItsLine(string rule, string reason, string fix)
    {
        var problem = Assert.Single(Documents.Translate(_world, Allow.Replace("RULE", rule, StringComparison.Ordinal)).Problems, p => p.Reason.Contains("can never match", StringComparison.Ordinal));
        Assert.Equal(("AuthorizationPolicy default/p", 7), (problem.Document, problem.Line));
        Assert.Contains(reason, problem.Reason, StringComparison.Ordinal);
        Assert.Contains("so it allows nothing", problem.Reason, StringComparison.Ordinal);
        Assert.Contains(fix, problem.Fix, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("from: [ { source: { principals: [ 'cluster.local/ns/default/sa/a', 'spiffe://x' ], namespaces: [ default ] } } ]")]
    [InlineData("from: [ { source: { principals: [ '*/sa/a' ] } } ]")]
    [InlineData("from: [ { source: { namespaces: [ default, ghost ], notPrincipals: [ '*' ] } } ]")]
    [InlineData("to: [ { operation: { ports: [ '80', '81' ], notPorts: [ '80' ] } } ]")]
    public void PartThatMayMatch_IsNotNamed(string rule) =>
        Assert.DoesNotContain(Documents.Translate(_world, Allow.Replace("RULE", rule, StringComparison.Ordinal)).Problems, p => p.Reason.Contains("can never match", StringComparison.Ordinal));

    [Fact]
    public void Token_ThatNobodyChecks_IsNamed()
    {
        const string policy = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec:\n  targetRefs: [ { group: '', kind: Service, name: payment } ]\n  rules: [ { from: [ { source: { requestPrincipals: [ '*' ] } } ] } ]\n---\n";
        const string checks = "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: { name: r }\nspec:\n  targetRefs: [ { group: '', kind: Service, name: payment } ]\n  jwtRules: [ { issuer: i, jwksUri: 'https://i.example/' } ]\n";
        Assert.Contains(Documents.Translate(_world, policy).Problems, p => p.Reason.Contains("no RequestAuthentication checks tokens there", StringComparison.Ordinal));
        Assert.DoesNotContain(Documents.Translate(_world, policy + checks).Problems, p => p.Reason.Contains("RequestAuthentication", StringComparison.Ordinal));
    }

    [Fact]
    public void RuleAndSubset_OfAServiceWithoutWaypoint_AreNamed()
    {
        const string rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: d }\nspec: { host: payment, subsets: [ { name: v9, labels: { version: v9 } } ] }\n---\n";
        const string routes = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: v }\nspec: { hosts: [payment], http: [ { route: [ { destination: { host: payment, subset: v2 } } ] } ] }\n";
        var problems = Documents.Translate(Documents.PaymentService, Documents.Pod("p", "payment", "198.18.2.2"), rule + routes).Problems;
        Assert.Contains(problems, p => p.Document == "DestinationRule default/d" && p.Reason.Contains("has no waypoint, so the rule is not in force", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.Document == "DestinationRule default/d" && p.Reason.Contains("the subset v9 (version=v9) selects none of the 1 endpoints", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.Document == "VirtualService default/v" && p.Reason.Contains("subset v2 of payment.default.svc.cluster.local, which nobody defines", StringComparison.Ordinal));
    }
}
