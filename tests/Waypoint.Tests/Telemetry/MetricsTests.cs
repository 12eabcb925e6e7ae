using System.Net;
using System.Text;
using Mesh.Runtime.Metrics;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Telemetry;
using Mesh.Waypoint.Tests.Harness;

namespace Mesh.Waypoint.Tests.Telemetry;

public sealed class MetricsTests
{
    /// <summary>The labels of Istio's waypoint (reference 5.6), none missing, absent values <c>unknown</c>.</summary>
    private const string Expected =
        """
        connection_security_policy=mutual_tls destination_app=unknown destination_canonical_revision=unknown destination_canonical_service=unknown destination_cluster=unknown
        destination_principal=unknown destination_service=orders.shop.svc.cluster.local destination_service_name=orders destination_service_namespace=shop
        destination_version=unknown destination_workload=pod-1 destination_workload_namespace=unknown grpc_response_status= reporter=waypoint request_protocol=http
        response_code=200 response_flags=- source_app=unknown source_canonical_revision=unknown source_canonical_service=unknown source_cluster=unknown
        source_principal=spiffe://cluster.local/ns/shop/sa/storefront source_version=unknown source_workload=unknown source_workload_namespace=shop
        """;

    [Fact]
    public async Task Request_HasEveryLabelOfIstiosWaypoint()
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var registry = new MetricRegistry();
        var metrics = new WaypointMetrics(registry, mesh.Waypoint.Configuration.Clusters);
        mesh.Waypoint.OnReport = e => metrics.Record(e, TimeSpan.FromMilliseconds(7));
        await mesh.TextAsync("/");
        await mesh.Waypoint.NextReportAsync();
        var page = Encoding.UTF8.GetString(registry.Render().Span);
        var line = page.Split('\n').Single(l => l.StartsWith("istio_requests_total{", StringComparison.Ordinal));
        var labels = line[(line.IndexOf('{', StringComparison.Ordinal) + 1)..line.LastIndexOf('}')].Split(',').Select(l => l.Replace("\"", string.Empty, StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        Assert.Equal(Expected.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Select(l => l.Trim()), labels);
        Assert.Contains("istio_request_duration_milliseconds_bucket", page, StringComparison.Ordinal);
        Assert.Contains("istio_build{component=\"proxy\"", page, StringComparison.Ordinal);
    }

    [Fact]
    public void ClientLabels_FromTheConnectsBaggage_AreOneObjectPerStatement()
    {
        const string baggage = "k8s.cluster.name=c1,k8s.namespace.name=shop,k8s.deployment.name=storefront,service.name=front,service.version=v2";
        var labels = ClientLabels.Of(baggage);
        Assert.Equal(("storefront", "front", "v2", "c1"), (labels.Workload, labels.Service, labels.Revision, labels.Cluster));
        Assert.Same(labels, ClientLabels.Of(new string(baggage)));
        Assert.Equal("latest", ClientLabels.Of("service.name=front").Revision);
        Assert.Same(ClientLabels.None, ClientLabels.Of(null));
        Assert.Same(labels, new Caller(null, new IPEndPoint(IPAddress.Loopback, 1)) { Labels = labels }.Labels);
    }
}
