using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Mesh.Testing;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Configuration;
using Mesh.Waypoint.Tests.Balancing;
using Mesh.Waypoint.Tests.Harness;
using Mesh.Xds;

namespace Mesh.Waypoint.Tests.Configuration;

public sealed class ConfigurationTests
{
    private readonly WaypointConfiguration _configuration = new(new ClusterRegistry(new ManualTimeProvider(), new Random(1)));

    [Fact]
    public void Service_WithABadRegex_IsRefusedAndTheLastGoodOneServes()
    {
        Apply("shop/orders", Service("/good"));
        var refused = Apply("shop/orders", Service(null));
        Assert.Equal("shop/orders", Assert.Single(refused).Name);
        Assert.Contains("(?=", refused[0].Reason, StringComparison.Ordinal);
        Assert.NotNull(_configuration.Routes.Find(OneService.Vip)!.Value.Port.Match(Requests.Get("/good")));
    }

    [Fact]
    public void Response_WithOneBadResource_AppliesTheOthersAndNacksThatOne()
    {
        var handler = XdsHandlers.Create(_configuration).Single(h => h.TypeUrl == XdsTypeUrls.WaypointService);
        var result = handler.Apply(new DeltaDiscoveryResponse
        {
            TypeUrl = handler.TypeUrl,
            Resources = { Resource("shop/orders", Service("/good")), Resource("shop/bad", Service(null)), new Resource { Name = "shop/garbage", Resource_ = new Any { Value = ByteString.CopyFrom(0xff, 0xff) } } },
        });
        Assert.Equal(["shop/bad", "shop/garbage"], result.Rejections.Select(r => r.Name).Order());
        Assert.NotNull(_configuration.Routes.Find(OneService.Vip));
    }

    [Fact]
    public void Service_Removed_IsNotFoundAnyMore()
    {
        Apply("shop/orders", Service("/good"));
        _configuration.ApplyServices([], ["shop/orders"]);
        Assert.Null(_configuration.Routes.Find(OneService.Vip));
    }

    [Fact]
    public void Port_NotOfTheService_IsNotFound()
    {
        Apply("shop/orders", Service("/good"));
        Assert.Null(_configuration.Routes.Find(OneService.Vip with { Port = 81 }));
    }

    [Fact]
    public void Route_BeforeItsCluster_FindsItOnceItArrives()
    {
        Apply("shop/orders", Service("/good"));
        var target = _configuration.Routes.Find(OneService.Vip)!.Value.Port.Match(Requests.Get("/good"))!.Value.Route.Forward!.Targets.Items[0];
        Assert.Null(target.Cluster.View);
        Assert.Empty(_configuration.ApplyClusters([(OneService.ClusterName, Clusters.Make(1))], []));
        Assert.NotNull(target.Cluster.View);
    }

    [Fact]
    public void Cluster_WithAnEndpointTwice_IsRefused()
    {
        var refused = _configuration.ApplyClusters([("c", Clusters.Make(1, c => c.Endpoints.Add(c.Endpoints[0])))], []);
        Assert.Contains("twice", Assert.Single(refused).Reason, StringComparison.Ordinal);
    }

    private IReadOnlyList<RefusedResource> Apply(string name, V1.Service service) => _configuration.ApplyServices([(name, service)], []);

    private static Resource Resource(string name, V1.Service service) => new() { Name = name, Resource_ = Any.Pack(service) };

    private static V1.Service Service(string? path)
    {
        var match = path is null ? new V1.StringMatch { Regex = "(?=x)" } : new V1.StringMatch { Exact = path };
        var route = new V1.HttpRoute { Name = "r", Matches = { new V1.RouteMatch { Path = match } }, Forward = new V1.Forward { Clusters = { new V1.WeightedCluster { Cluster = OneService.ClusterName, Weight = 1 } } } };
        return new V1.Service
        {
            Name = "orders",
            Namespace = "shop",
            Hostname = "orders.shop.svc.cluster.local",
            Addresses = { ByteString.CopyFrom(OneService.Vip.Address.GetAddressBytes()) },
            Ports = { new V1.ServicePort { Port = 80, Protocol = V1.Protocol.Http1, HttpRoutes = { route } } },
        };
    }
}
