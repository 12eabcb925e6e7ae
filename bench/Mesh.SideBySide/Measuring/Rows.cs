using Mesh.SideBySide.Rig;

namespace Mesh.SideBySide.Measuring;

/// <summary>The table. Peers' names are those of the files in bench/side-by-side/peers.</summary>
internal static class Rows
{
    private static readonly Work s_one = new HttpWork(1);
    private static readonly Work s_many = new HttpWork(64);
    private static readonly Work s_http2 = new Http2Work();
    private static readonly Work s_grpc = new Http2Work(Grpc: true);
    private static readonly Work s_connect = new HttpWork(16, NewConnections: true);

    public static IReadOnlyList<Row> All { get; } =
    [
        Ratio("tunnel, 64 connections, requests/s", "ztunnel", "haproxy", s_many, "rate", atLeast: true, 2.2),
        Ratio("tunnel, CPU per request", "ztunnel", "haproxy", s_many, "cpu", atLeast: false, 0.36),
        Ratio("tunnel, 1 connection, p50", "ztunnel", "haproxy", s_one, "p50", atLeast: false, 0.7),
        Ratio("tunnel, 64 connections, p99", "ztunnel", "haproxy", s_many, "p99", atLeast: false, 0.08),
        Ratio("tunnel, new connections/s, warm", "ztunnel", "haproxy", s_connect, "rate", atLeast: true, 7),
        Ratio("bulk, 1 connection", "ztunnel", "haproxy", new BulkWork(1), "gigabytes", atLeast: true, 1.9),
        Ratio("bulk, 4 connections", "ztunnel", "haproxy", new BulkWork(4), "gigabytes", atLeast: true, 1.9),
        Ratio("bulk, 16 connections", "ztunnel", "haproxy", new BulkWork(16), "gigabytes", atLeast: true, 1.9),
        Ratio("bulk, CPU per GB", "ztunnel", "haproxy", new BulkWork(1), "cpu", atLeast: false, 0.55),
        Ratio("passthrough bulk", "ztunnel", "direct", new BulkWork(1, Network.StrangerAddress), "gigabytes", atLeast: true, 0.8),
        new Row
        {
            Name = "tunnel, added latency p50 over direct", Unit = "us", Goal = 60, AtLeast = false, Difference = true,
            Ours = ("ztunnel", s_one, "p50"), Against = ("direct", s_one, "p50"),
        },
        Ratio("waypoint alone, 64 connections, requests/s", "waypoint-http", "nginx-http", s_many, "rate", atLeast: true, 0.75),
        Ratio("waypoint alone, CPU per request", "waypoint-http", "nginx-http", s_many, "cpu", atLeast: false, 1.4),
        Ratio("waypoint alone, HTTP/2, requests/s", "waypoint-http", "nginx-http", s_http2, "rate", atLeast: true, null),
        Ratio("waypoint alone, HTTP/2, CPU per request", "waypoint-http", "nginx-http", s_http2, "cpu", atLeast: false, null),
        Ratio("waypoint alone, gRPC, calls/s", "waypoint-http", "nginx-http", s_grpc, "rate", atLeast: true, null),
        Ratio("waypoint alone, gRPC, CPU per call", "waypoint-http", "nginx-http", s_grpc, "cpu", atLeast: false, null),
        Ratio("waypoint alone, gRPC, calls/s over haproxy's", "waypoint-http", "haproxy-http", s_grpc, "rate", atLeast: true, null),
        new Row
        {
            Name = "ztunnel-waypoint-ztunnel, requests/s over the tunnel pair's", Goal = 0.45, AtLeast = true,
            Ours = ("waypoint", s_many, "rate"), Against = ("ztunnel", s_many, "rate"),
        },
        new Row
        {
            Name = "waypoint with 1,000 routes, token and authorization over bare", Goal = 0.7, AtLeast = true,
            Ours = ("waypoint-rules", s_many, "rate"), Against = ("waypoint", s_many, "rate"),
        },
        Ratio("same node, bulk", "ztunnel-same-node", "direct", new BulkWork(1, Network.NearAddress), "gigabytes", atLeast: true, 0.7),
        Ratio("same node, 64 connections, requests/s", "ztunnel-same-node", "direct", new HttpWork(64, Apart: "near"), "rate", atLeast: true, 0.6),
        Absolute("agent resident, idle", "ztunnel", AbsoluteWork.AgentIdle, 40, "MB"),
        Absolute("agent resident, growth by 10,000 idle connections", "ztunnel", AbsoluteWork.AgentIdleConnections, 10, "MB"),
        Absolute("agent, start to ready", "ztunnel", AbsoluteWork.AgentStart, 300, "ms"),
        Absolute("waypoint resident, idle", "waypoint", AbsoluteWork.WaypointIdle, 60, "MB"),
        Absolute("waypoint resident, 64 busy connections", "waypoint", AbsoluteWork.WaypointBusy, 80, "MB"),
    ];

    /// <summary>Measured for the record, without a goal of their own.</summary>
    public static IReadOnlyList<(string Peer, Work Work)> Beside { get; } =
    [
        .. from peer in (string[])["direct", "haproxy", "nginx", "ztunnel"]
           from work in (Work[])[s_one, new HttpWork(16), s_many, new HttpWork(256), s_connect, new BulkWork(1), new FixedRateWork(2000, 16), new FixedRateWork(8000, 64)]
           select (peer, work),
        .. from peer in (string[])["direct", "haproxy-http", "nginx-http", "waypoint-http"]
           from work in (Work[])[s_one, s_many]
           select (peer, work),
    ];

    private static Row Ratio(string name, string ours, string other, Work work, string figure, bool atLeast, double? goal) => new()
    {
        Name = name, Ours = (ours, work, figure), Against = (other, work, figure), AtLeast = atLeast, Goal = goal,
    };

    private static Row Absolute(string name, string peer, Work work, double goal, string unit) => new()
    {
        Name = name, Ours = (peer, work, "value"), AtLeast = false, Goal = goal, Unit = unit,
    };
}
