using System.Net;
using System.Text;
using System.Text.Json;
using Mesh.Net;
using Mesh.Runtime.Decisions;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Tests.Telemetry;

/// <summary>Reports with a log and metrics page in memory.</summary>
internal sealed class ReportRig : IDisposable
{
    private readonly MemoryStream _output = new();
    private readonly EventLoop _loop = EventLoop.Start("reports");
    private readonly LogSink _sink;
    private readonly MetricRegistry _registry = new();

    public ReportRig(LogFormat format = LogFormat.Json)
    {
        Assert.True(LogFilter.TryParse("info,access=debug", out var filter, out _));
        _sink = new LogSink(_output, format, filter, TimeProvider.System);
        Decisions = new DecisionRing<DecisionRecord>(16);
        Telemetry = new ConnectionTelemetry(_loop, new ZtunnelMetrics(_registry, "1.99.0"), new AccessLog(_sink, TimeProvider.System), Decisions);
    }

    public ConnectionTelemetry Telemetry { get; }

    public DecisionRing<DecisionRecord> Decisions { get; }

    public ConnectionReport Start(bool outbound, string source, string destination) =>
        new(Telemetry, outbound, IPEndPoint.Parse(source), IPEndPoint.Parse(destination));

    public static void Move(ConnectionReport report, long forwarded, long returned)
    {
        if (forwarded > 0)
            ((ITransferMeter)report).Forwarded(forwarded);
        if (returned > 0)
            ((ITransferMeter)report).Returned(returned);
    }

    public string Log()
    {
        _sink.Flush();
        return Encoding.UTF8.GetString(_output.ToArray());
    }

    public IReadOnlyList<JsonElement> Lines() => [.. Log().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)];

    public string Page() => Encoding.UTF8.GetString(_registry.Render().Span);

    public void Dispose()
    {
        _sink.Dispose();
        _loop.Dispose();
    }
}
