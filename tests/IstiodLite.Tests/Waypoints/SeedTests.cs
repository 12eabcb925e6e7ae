using Mesh.IstiodLite.Resources;
using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Tests.Waypoints;

/// <summary>The four documents that the mesh was asked for, all at once, with what they need.</summary>
public sealed class SeedTests
{
    private const string Payment = "default/payment.default.svc.cluster.local";
    private const string Subsets = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: payment-versions }\nspec: { host: payment, subsets: [ { name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } } ] }\n";
    private static readonly string[] _seeds = [.. ((string[])["authorization-policy.yaml", "destination-rule.yaml", "peer-authentication.yaml", "virtual-service.yaml"]).Select(Documents.Seed)];

    private static string[] World(params string[] more) =>
    [
        .. _seeds, Documents.PaymentService, Documents.PaymentWaypoint,
        Documents.Pod("p1a", "payment", "198.18.2.2", "app: payment, version: v1", "node-2"),
        Documents.Pod("p1b", "payment", "198.18.2.3", "app: payment, version: v1", "node-2"),
        Documents.Pod("p2", "payment", "198.18.2.4", "app: payment, version: v2", "node-2"),
        Documents.Pod("order", "order-service", "198.18.1.2", "app: order"), .. more,
    ];

    [Fact]
    public void Canary_WithSubsetsInASecondRule_IsSplitAndKeepsTheFirstRulesPolicy()
    {
        var configuration = Documents.Translate(World(Subsets)).Waypoints["default/payment-waypoint"];
        var port = Assert.Single(((Mesh.Waypoint.V1.Service)configuration.Services[Payment]).Ports);
        var route = Assert.Single(port.HttpRoutes);
        Assert.Equal([($"{Payment}|80|v1", 95u), ($"{Payment}|80|v2", 5u)], route.Forward.Clusters.Select(c => (c.Cluster, c.Weight)));
        Assert.Equal("VirtualService default/payment-service", route.Origin);
        Assert.Equal((2u, 25_000_000), (route.Forward.Retry.Attempts, route.Forward.Retry.BackoffBase.Nanos));

        var v1 = (Cluster)configuration.Clusters[$"{Payment}|80|v1"];
        Assert.Equal(["Kubernetes//Pod/default/p1a", "Kubernetes//Pod/default/p1b"], v1.Endpoints.Select(e => e.WorkloadUid));
        Assert.Equal((5u, 30L, 60L), (v1.OutlierDetection.Consecutive5Xx!.Value, v1.OutlierDetection.Interval.Seconds, v1.OutlierDetection.BaseEjectionTime.Seconds));
        Assert.True(v1.OutlierDetection.AlwaysEjectOne);
        Assert.Equal(100u, v1.ConnectionPool.MaxConnections);
    }

    [Fact]
    public void Policies_SelectorStaysAtTheDestination_WaypointGetsNone()
    {
        var mesh = Documents.Translate(World(Subsets));
        Assert.Empty(mesh.Waypoints["default/payment-waypoint"].Policies);
        Assert.Equal(["default/payment-policy", "istio-system/istio_converted_static_strict"], mesh.Addresses["Kubernetes//Pod/default/p1a"].Address.Workload.AuthorizationPolicies);
        var rule = Assert.Single(mesh.Authorizations["default/payment-policy"].Rules);
        Assert.Equal("cluster.local/ns/default/sa/order-service", Assert.Single(Assert.Single(Assert.Single(rule.Clauses).Matches).Principals).Exact);
    }

    [Fact]
    public void Subsets_NobodyDefines_AreReportedNamingBothDocuments()
    {
        var problems = Documents.Translate(World()).Problems.Where(p => p.Reason.Contains("subset", StringComparison.Ordinal)).ToList();
        Assert.Equal(2, problems.Count);
        Assert.All(problems, p => Assert.Equal("VirtualService default/payment-service", p.Document));
        Assert.All(problems, p => Assert.Contains("DestinationRule default/payment-service (1.yaml:2) defines no subsets", p.Reason, StringComparison.Ordinal));
        Assert.Equal([12, 16], problems.Select(p => p.Line).Order());
    }

    [Fact]
    public void Ejection_WithTheDefaultPercentage_IsExplained()
    {
        var problem = Assert.Single(Documents.Translate(World(Subsets)).Problems, p => p.Document == "DestinationRule default/payment-service");
        Assert.Equal(ProblemSeverity.Warning, problem.Severity);
        Assert.Contains("10 % of 3 endpoints rounds down to none", problem.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Ejection_WithAnExplicitPercentage_IsHonouredAsWritten()
    {
        var explicitly = Documents.Seed("destination-rule.yaml").Replace("interval: 30s", "maxEjectionPercent: 20", StringComparison.Ordinal);
        var mesh = Documents.Translate([.. World(Subsets).Where(d => !d.Contains("kind: DestinationRule\nmetadata:\n  name: payment-service", StringComparison.Ordinal)), explicitly]);
        var cluster = (Cluster)mesh.Waypoints["default/payment-waypoint"].Clusters[$"{Payment}|80|v1"];
        Assert.Equal((20u, false), (cluster.OutlierDetection.MaxEjectionPercent, cluster.OutlierDetection.AlwaysEjectOne));
        Assert.Contains(mesh.Problems, p => p.Reason.Contains("can eject nothing", StringComparison.Ordinal) && p.Fix.Contains("34", StringComparison.Ordinal));
    }
}
