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
    private const string Cluster = "default/web|80|";

    public static async Task<int> RunAsync(WaypointOptions options)
    {
        var listen = IPEndPoint.Parse(options.Listen);
        var original = new OriginalDestination(IPAddress.Parse("198.18.8.1"), 80);
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
        Configure(configuration, original, IPEndPoint.Parse(options.Upstream));
        await dataPath.StartAsync();
        foreach (var loop in loops)
        {
            await loop.InvokeAsync(() => LoopListener.Listen(loop, new ListenOptions { EndPoint = listen, ReusePort = true, Backlog = 4096 }, socket =>
            {
                var connection = new SocketConnection(new SocketPipe(socket), original, new Caller(null, socket.RemoteEndPoint));
                loop.Spawn(() => dataPath.Inbound.ServeAsync(connection, CancellationToken.None));
            }));
        }

        await Task.Delay(Timeout.Infinite);
        return 0;
    }

    private static void Configure(WaypointConfiguration configuration, OriginalDestination original, IPEndPoint upstream)
    {
        var cluster = new V1.Cluster { Name = Cluster, Namespace = "default", Hostname = "web.default.svc.cluster.local", Port = 80, Protocol = V1.Protocol.Http1 };
        cluster.Endpoints.Add(new V1.Endpoint
        {
            WorkloadUid = "upstream", Healthy = true, Address = ByteString.CopyFrom(upstream.Address.GetAddressBytes()), Port = (uint)upstream.Port, Weight = 1,
        });
        var service = new V1.Service
        {
            Name = "web",
            Namespace = "default",
            Hostname = cluster.Hostname,
            Addresses = { ByteString.CopyFrom(original.Address.GetAddressBytes()) },
            Ports = { new V1.ServicePort { Port = 80, Protocol = V1.Protocol.Http1, DefaultCluster = Cluster } },
        };
        var refused = configuration.ApplyClusters([(Cluster, cluster)], []).Concat(configuration.ApplyServices([("default/web", service)], [])).ToList();
        if (refused.Count > 0)
            throw new BenchException($"the waypoint refuses its configuration: {string.Join(", ", refused)}");
    }
}
