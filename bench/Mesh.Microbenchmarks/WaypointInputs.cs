using System.IO.Pipelines;
using System.Net;
using Google.Protobuf;
using Mesh.Waypoint;
using Mesh.Waypoint.Authorization;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Transport;
using Microsoft.AspNetCore.Http;
using V1 = Mesh.Waypoint.V1;

namespace Mesh.Microbenchmarks;

/// <summary>One service as a busy team might configure it: twenty routes, five policies, ten endpoints.</summary>
internal sealed class WaypointInputs
{
    public const string ClusterName = "shop/orders|80|";
    private static readonly OriginalDestination Vip = new(IPAddress.Parse("198.18.50.1"), 80);

    public WaypointInputs()
    {
        var cluster = new V1.Cluster { Name = ClusterName, Hostname = "orders.shop.svc.cluster.local", Namespace = "shop" };
        for (byte i = 1; i <= 10; i++)
            cluster.Endpoints.Add(new V1.Endpoint { WorkloadUid = $"pod-{i}", Address = ByteString.CopyFrom(198, 18, 60, i), Port = 8080, Healthy = true, Weight = 1, WorkloadName = $"pod-{i}" });
        Clusters.Apply(Clusters.Compile(cluster));
        var port = new V1.ServicePort { Port = 80, Protocol = V1.Protocol.Http1 };
        for (var i = 0; i < 19; i++)
            port.HttpRoutes.Add(Route($"r{i}", new V1.RouteMatch { Path = new V1.StringMatch { Prefix = $"/api/v{i}/" }, Headers = { new V1.HeaderMatch { Name = "x-plan", Value = new V1.StringMatch { Exact = "gold" } } } }));
        port.HttpRoutes.Add(Route("last", null));
        var service = new V1.Service { Name = "orders", Namespace = "shop", Hostname = cluster.Hostname, Addresses = { ByteString.CopyFrom(Vip.Address.GetAddressBytes()) }, Ports = { port } };
        var destination = new Destination(service, Clusters);
        Port = destination.Port(80)!;
        Policies = new PolicySet([.. Enumerable.Range(0, 5).Select(Policy)], []);
        Connection = new FixedConnection(Vip, new Caller("spiffe://cluster.local/ns/shop/sa/storefront", new IPEndPoint(IPAddress.Parse("198.18.1.7"), 4711)));
        Exchange = MakeExchange(destination);
        PolicyFacts = new PolicyFacts(Connection.Caller, Vip, Exchange.Facts, null);
        View = Clusters.Reference(ClusterName).View!;
    }

    public ClusterRegistry Clusters { get; } = new(TimeProvider.System, new Random(1));

    public PortRoutes Port { get; }

    public PolicySet Policies { get; }

    public ClusterView View { get; }

    public Exchange Exchange { get; }

    public PolicyFacts PolicyFacts { get; }

    private InboundConnection Connection { get; }

    private static V1.HttpRoute Route(string name, V1.RouteMatch? match)
    {
        var route = new V1.HttpRoute { Name = name, Forward = new V1.Forward { Clusters = { new V1.WeightedCluster { Cluster = ClusterName, Weight = 1 } } } };
        if (match is not null)
            route.Matches.Add(match);
        return route;
    }

    private static CompiledPolicy Policy(int number)
    {
        var rule = new V1.AuthorizationRule
        {
            From = { new V1.Source { Principals = { $"cluster.local/ns/shop/sa/caller-{number}", "cluster.local/ns/admin/*" } } },
            To = { new V1.Operation { Methods = { "GET", "POST" }, Paths = { $"/api/v{number}/*" } } },
        };
        var last = number == 4 ? new V1.AuthorizationRule { From = { new V1.Source { Namespaces = { "shop" } } } } : rule;
        var source = new V1.RequestPolicy { Name = $"AuthorizationPolicy/shop/p{number}", Namespace = "shop", Authorization = new V1.AuthorizationRules { Rules = { rule, last } } };
        return new CompiledPolicy(source.Name, new AuthorizationRuleSet(source), null);
    }

    private Exchange MakeExchange(Destination destination)
    {
        var http = new DefaultHttpContext();
        http.Request.Method = "GET";
        http.Request.Protocol = "HTTP/1.1";
        http.Request.Headers["x-request-id"] = "5f2d0c3e-1111-2222-3333-444455556666";
        http.Request.Headers.UserAgent = "bench/1";
        var exchange = new Exchange(http, Connection, 1)
        {
            Facts = new RequestFacts { Method = "GET", Scheme = "http", Authority = "orders.shop", Path = "/api/v20/orders/4711", Headers = http.Request.Headers, Caller = Connection.Caller },
            Destination = destination,
            OriginalPath = "/api/v20/orders/4711",
            Details = "via_upstream",
            Attempts = 1,
        };
        exchange.ChooseRoute(Port);
        exchange.Endpoint = Clusters.Reference(ClusterName).View!.All[0];
        return exchange;
    }

    /// <summary>Facts of a connection without its bytes.</summary>
    private sealed class FixedConnection(OriginalDestination original, Caller caller) : InboundConnection(original, caller, null)
    {
        public override PipeReader Input => throw new NotSupportedException("this connection carries nothing");

        public override PipeWriter Output => throw new NotSupportedException("this connection carries nothing");

        public override Task PeerEnded => Task.CompletedTask;

        public override ValueTask EndWritingAsync() => ValueTask.CompletedTask;

        public override void Abort()
        {
        }

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
