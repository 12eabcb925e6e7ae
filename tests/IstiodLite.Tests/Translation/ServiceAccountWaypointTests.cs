using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Tests.Translation;

/// <summary>istio.io/for-service-account: a waypoint for everything that runs under one account.</summary>
public sealed class ServiceAccountWaypointTests
{
    private const string Waypoint = "payment-waypoint.default.svc.cluster.local";

    [Fact]
    public void Gateway_ForAccount_BindsItsPodsAndTheServicesThatOnlyTheyServe()
    {
        var mesh = Documents.Translate(Documents.PaymentService, Documents.PaymentWaypoint, Documents.Pod("p1", "payment", "198.18.1.2"), Documents.Pod("o1", "order", "198.18.1.3", "app: order"));
        Assert.Equal(Waypoint, mesh.Addresses["Kubernetes//Pod/default/p1"].Address.Workload.Waypoint.Hostname.Hostname);
        Assert.Null(mesh.Addresses["Kubernetes//Pod/default/o1"].Address.Workload.Waypoint);
        Assert.Equal(Waypoint, mesh.Addresses["default/payment.default.svc.cluster.local"].Address.Service.Waypoint.Hostname.Hostname);
        Assert.Null(mesh.Addresses["default/" + Waypoint].Address.Service.Waypoint);
    }

    [Fact]
    public void Service_WithEndpointsOfSeveralAccounts_IsNotBoundAndSaysWhy()
    {
        var mesh = Documents.Translate(Documents.PaymentService, Documents.PaymentWaypoint, Documents.Pod("p1", "payment", "198.18.1.2"), Documents.Pod("p2", "other", "198.18.1.3"));
        Assert.Null(mesh.Addresses["default/payment.default.svc.cluster.local"].Address.Service.Waypoint);
        Assert.Contains(mesh.Problems, p => p.Document == "Service default/payment" && p.Reason.Contains("several service accounts (other, payment)", StringComparison.Ordinal));
    }

    [Fact]
    public void Label_OnTheObject_WinsOverTheAccount()
    {
        var mesh = Documents.Translate(Documents.PaymentWaypoint, Documents.Pod("p1", "payment", "198.18.1.2", "app: payment, istio.io/use-waypoint: none"));
        Assert.Null(mesh.Addresses["Kubernetes//Pod/default/p1"].Address.Workload.Waypoint);
    }

    [Fact]
    public void Waypoint_OwnInstances_AreNotSentThroughIt()
    {
        var mesh = Documents.Translate(Documents.PaymentWaypoint, Documents.Pod("w1", "payment", "198.18.1.9", "gateway.networking.k8s.io/gateway-name: payment-waypoint"));
        Assert.Null(mesh.Addresses["Kubernetes//Pod/default/w1"].Address.Workload.Waypoint);
        Assert.Contains("default/" + Waypoint, mesh.Addresses["Kubernetes//Pod/default/w1"].Address.Workload.Services.Keys);
    }

    [Fact]
    public void Waypoint_WithoutRunningInstance_StaysInTheWay()
    {
        // Refused is better than around the policies: the service of the waypoint exists and has no endpoints.
        var mesh = Documents.Translate(Documents.PaymentService, Documents.PaymentWaypoint, Documents.Pod("p1", "payment", "198.18.1.2"));
        Assert.Contains("default/" + Waypoint, mesh.Addresses.Keys);
        Assert.DoesNotContain(mesh.Addresses.Values, a => a.Address.Workload?.Services.ContainsKey("default/" + Waypoint) is true);
    }

    [Fact]
    public void Configuration_HoldsOnlyWhatIsBehindTheWaypoint()
    {
        var mesh = Documents.Translate(Documents.PaymentService, Documents.PaymentWaypoint, Documents.Pod("p1", "payment", "198.18.1.2"), Documents.Pod("o1", "order", "198.18.1.3", "app: order"));
        var configuration = mesh.Waypoints["default/payment-waypoint"];
        Assert.Equal(["Kubernetes//Pod/default/p1", "default/payment.default.svc.cluster.local"], configuration.Services.Keys.Order(StringComparer.Ordinal));
        var endpoint = Assert.Single(((Cluster)configuration.Clusters["default/payment.default.svc.cluster.local|80|"]).Endpoints);
        Assert.Equal((8080u, true, "spiffe://cluster.local/ns/default/sa/payment"), (endpoint.Port, endpoint.Hbone, Assert.Single(endpoint.Identities)));
    }
}
