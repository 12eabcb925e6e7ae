using System.Net;
using BenchmarkDotNet.Attributes;
using Mesh.Hbone;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Net;
using Mesh.Runtime.Decisions;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Microbenchmarks;

/// <summary>Everything that is said of one connection - report, series, access line, record - with the ring of decisions and without it.</summary>
[MemoryDiagnoser]
public class DecisionBenchmarks
{
    private static readonly IPEndPoint Client = IPEndPoint.Parse("198.18.1.11:40000");
    private static readonly IPEndPoint Server = IPEndPoint.Parse("198.18.1.21:8080");
    private static readonly TraceParent Trace = TraceParent.New();

    private EventLoop _loop = null!;
    private LogSink _sink = null!;
    private ConnectionTelemetry _telemetry = null!;
    private ConnectionContext _context = null!;

    [Params(0, 16 * 1024)]
    public int Ring { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _loop = EventLoop.Start("benchmark");
        if (!LogFilter.TryParse("off", out var filter, out var wrong))
            throw new InvalidOperationException(wrong);
        _sink = new LogSink(Stream.Null, LogFormat.Json, filter, TimeProvider.System);
        _telemetry = new ConnectionTelemetry(
            _loop, new ZtunnelMetrics(new MetricRegistry(), "1"), new AccessLog(_sink, TimeProvider.System), Ring == 0 ? null : new DecisionRing<DecisionRecord>(Ring));
        var workload = new Workload { Uid = "w", Name = "w", Namespace = "default", ServiceAccount = "w", Addresses = [Server.Address] };
        _context = new ConnectionContext
        {
            Source = workload,
            Destination = workload,
            IsMutualTls = true,
            SourceIdentity = workload.Identity,
            DestinationIdentity = workload.Identity,
            Hop = Server,
            HboneTarget = "198.18.1.21:8080",
            Route = "tunnel",
        };
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _sink.Dispose();
        _loop.Dispose();
    }

    [Benchmark]
    public void ReportOneConnection()
    {
        var report = new ConnectionReport(_telemetry, isOutbound: true, Client, Server);
        report.IsPartOf(Trace);
        report.Open(_context);
        report.Connected();
        ((ITransferMeter)report).Forwarded(1000);
        ((ITransferMeter)report).Returned(1000);
        report.Complete(TransferResult.Ok);
    }
}
