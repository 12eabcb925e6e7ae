namespace Mesh.IstiodLite.Tests.Translation;

public sealed class FindingTests
{
    private const string Http = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: v }\nspec: { hosts: [payment], http: [ { route: [ { destination: { host: payment } } ] } ] }\n";

    private static void Finds(string document, string reason, params string[] yaml) =>
        Assert.Contains(Documents.Translate(yaml).Problems, p => p.Document == document && p.Reason.Contains(reason, StringComparison.Ordinal) && p.Fix.Length > 0 && p.Line > 0);

    [Fact]
    public void Routes_WithoutWaypoint_AreNotInForce() => Finds("VirtualService default/v", "has no waypoint, so its routes are not in force", Documents.PaymentService, Http);

    [Fact]
    public void Host_NobodyHas_IsNamed()
    {
        Finds("VirtualService default/v", "has the host payment.default.svc.cluster.local", Http);
        Finds("DestinationRule default/d", "has the host ghost.default.svc.cluster.local", "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: d }\nspec: { host: ghost }\n");
    }

    [Fact]
    public void Selector_ThatSelectsNothing_IsNamed() => Finds("AuthorizationPolicy default/p", "(app=ghost) selects no workload of the namespace default",
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec: { selector: { matchLabels: { app: ghost } } }\n");

    [Fact]
    public void HttpFields_AtTheZtunnel_AreExplained()
    {
        const string policy = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec: { action: ACTION, rules: [ { to: [ { operation: { methods: [ GET ] } } ] } ] }\n";
        Finds("AuthorizationPolicy default/p", "cannot check methods: the rules that need it allow nothing", policy.Replace("ACTION", "ALLOW", StringComparison.Ordinal));
        Finds("AuthorizationPolicy default/p", "cannot check methods: the policy has no effect", policy.Replace("ACTION", "DENY", StringComparison.Ordinal));
    }

    [Fact]
    public void Target_ThatCannotEnforce_IsNamed() => Finds("AuthorizationPolicy default/p", "Service payment cannot enforce it (AncestorNotBound", Documents.PaymentService,
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec: { targetRefs: [ { group: '', kind: Service, name: payment } ] }\n");

    [Fact]
    public void Waypoint_ThatIsMissing_IsNamed() => Finds("Service default/payment", "waypoint \"default/ghost\" is not ready",
        Documents.PaymentService.Replace("{ name: payment }", "{ name: payment, labels: { istio.io/use-waypoint: ghost } }", StringComparison.Ordinal));

    [Fact]
    public void World_WithoutMistakes_IsSilent() =>
        Assert.Empty(Documents.Translate(Documents.PaymentService, Documents.PaymentWaypoint, Documents.Pod("p", "payment", "198.18.2.2"), Http).Problems);
}
