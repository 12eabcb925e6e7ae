using System.Text;
using Mesh.Runtime;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Tests.Telemetry;

/// <summary>What becomes of pods, on the metrics page.</summary>
public sealed class PodTelemetryTests
{
    [Fact]
    public void RepairsAndPodsThatWait_AreCounted()
    {
        var registry = new MetricRegistry();
        using var sink = new LogSink(Stream.Null, LogFormat.Text, LogFilter.TryParse("info", out var filter, out _) ? filter : throw new InvalidOperationException(), TimeProvider.System);
        var telemetry = new PodTelemetry(new ZtunnelMetrics(registry, "1"), sink, new Readiness(TimeProvider.System));
        telemetry.PodRepaired("uid", new PodInfo("pod", "shop", "account"));
        telemetry.PodsChanged(running: 1, pending: 2, ready: false);
        var page = Encoding.UTF8.GetString(registry.Render().Span);
        Assert.Contains("ztunnel_capture_repairs_total 1\n", page, StringComparison.Ordinal);
        Assert.Contains("workload_manager_pending_proxy_count 2\n", page, StringComparison.Ordinal);
    }
}
