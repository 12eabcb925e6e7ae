using System.Net;
using Google.Protobuf;
using Mesh.Net;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;
using Mesh.Waypoint;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Configuration;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Telemetry;
using Mesh.Waypoint.Transport;
using Microsoft.Extensions.Logging.Abstractions;
using V1 = Mesh.Waypoint.V1;

namespace Mesh.SideBySide;

/// <summary>The waypoint's whole request path between plain sockets: what it costs without tunnels around it.</summary>
internal static class PlainWaypoint
{
    private static readonly Application s_web = new("web", new OriginalDestination(IPAddress.Parse("198.18.8.1"), 80), V1.Protocol.Http1);
    private static readonly Application s_grpc = new("grpc", new OriginalDestination(IPAddress.Parse("198.18.8.2"), 80), V1.Protocol.Grpc);

    public static async Task<int> RunAsync(WaypointOptions options)
    {
        using var sink = LogSink.ToStandardOutput(LogFormat.Text, LogFilter.TryParse("info", out var filter, out _) ? filter : throw new BenchException("no log filter"), TimeProvider.System);
        var configuration = new WaypointConfiguration(new ClusterRegistry(TimeProvider.System, Random.Shared));
        var reporter = new Reporter(new AccessLog(sink), new WaypointMetrics(new MetricRegistry(), configuration.Clusters), decisions: null);
        var loops = Enumerable.Range(0, Environment.ProcessorCount).Select(i => EventLoop.Start($"loop-{i}")).ToList();
        using var dataPath = new DataPath(new DataPathParts
        {
            Configuration = configuration,
            Dialer = new PlainDialer(loops),
            Requests = reporter,
            Connections = reporter,
            FetchKeys = (address, _) => throw new HttpRequestException($"{address} is not asked in this bench"),
            Loggers = NullLoggerFactory.Instance,
        });
        Configure(configuration, s_web, IPEndPoint.Parse(options.Upstream));
        Configure(configuration, s_grpc, IPEndPoint.Parse(options.UpstreamGrpc));
        await dataPath.StartAsync();
        await ListenAsync(loops, dataPath, IPEndPoint.Parse(options.Listen), s_web);
        await ListenAsync(loops, dataPath, IPEndPoint.Parse(options.ListenGrpc), s_grpc);
        await Task.Delay(Timeout.Infinite);
        return 0;
    }

    private static async Task ListenAsync(IReadOnlyList<EventLoop> loops, DataPath dataPath, IPEndPoint address, Application application)
    {
        foreach (var loop in loops)
        {
            await loop.InvokeAsync(() => LoopListener.Listen(loop, new ListenOptions { EndPoint = address, ReusePort = true, Backlog = 4096 }, socket =>
            {
                var connection = new SocketConnection(new SocketPipe(socket), application.Destination, new Caller(null, socket.RemoteEndPoint));
                loop.Spawn(() => dataPath.Inbound.ServeAsync(connection, CancellationToken.None));
            }));
        }
    }

    private static void Configure(WaypointConfiguration configuration, Application application, IPEndPoint upstream)
    {
        var name = $"default/{application.Name}|80|";
        var cluster = new V1.Cluster { Name = name, Namespace = "default", Hostname = $"{application.Name}.default.svc.cluster.local", Port = 80, Protocol = application.Protocol };
        cluster.Endpoints.Add(new V1.Endpoint
        {
            WorkloadUid = application.Name, Healthy = true, Address = ByteString.CopyFrom(upstream.Address.GetAddressBytes()), Port = (uint)upstream.Port, Weight = 1,
        });
        var service = new V1.Service
        {
            Name = application.Name,
            Namespace = "default",
            Hostname = cluster.Hostname,
            Addresses = { ByteString.CopyFrom(application.Destination.Address.GetAddressBytes()) },
            Ports = { new V1.ServicePort { Port = 80, Protocol = application.Protocol, DefaultCluster = name } },
        };
        var refused = configuration.ApplyClusters([(name, cluster)], []).Concat(configuration.ApplyServices([($"default/{application.Name}", service)], [])).ToList();
        if (refused.Count > 0)
            throw new BenchException($"the waypoint refuses its configuration: {string.Join(", ", refused)}");
    }

    /// <summary>What stands behind the waypoint: reached by its service's address, and spoken to in its protocol.</summary>
    private sealed record Application(string Name, OriginalDestination Destination, V1.Protocol Protocol);
}
