using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Google.Protobuf;
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
        using var dataPath = new DataPath(new DataPathParts
        {
            Configuration = configuration,
            Dialer = new PlainDialer(),
            Requests = reporter,
            Connections = reporter,
            FetchKeys = (address, _) => throw new HttpRequestException($"{address} is not asked in this bench"),
            Loggers = NullLoggerFactory.Instance,
        });
        Configure(configuration, original, IPEndPoint.Parse(options.Upstream));
        await dataPath.StartAsync();
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(listen);
        listener.Listen(4096);
        while (true)
        {
            var socket = await listener.AcceptAsync();
            socket.NoDelay = true;
            _ = dataPath.Inbound.ServeAsync(new PlainConnection(socket, original), CancellationToken.None);
        }
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

    private sealed class PlainConnection : InboundConnection
    {
        private readonly Socket _socket;
        private readonly NetworkStream _stream;

        public PlainConnection(Socket socket, OriginalDestination original)
            : base(original, new Caller(null, (IPEndPoint)socket.RemoteEndPoint!), null)
        {
            _socket = socket;
            _stream = new NetworkStream(socket, ownsSocket: true);
            Input = PipeReader.Create(_stream, new StreamPipeReaderOptions(leaveOpen: true));
            Output = PipeWriter.Create(_stream, new StreamPipeWriterOptions(leaveOpen: true));
        }

        public override PipeReader Input { get; }

        public override PipeWriter Output { get; }

        // Nobody leaves before the answer in this bench.
        public override Task PeerEnded { get; } = new TaskCompletionSource().Task;

        public override ValueTask EndWritingAsync()
        {
            _socket.Shutdown(SocketShutdown.Send);
            return ValueTask.CompletedTask;
        }

        public override void Abort() => _stream.Dispose();

        public override ValueTask DisposeAsync() => _stream.DisposeAsync();
    }
}
