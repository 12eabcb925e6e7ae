using Mesh.Hbone;
using Mesh.Net;
using Mesh.Runtime.Metrics;
using Mesh.Ztunnel.Forwarding;

namespace Mesh.Ztunnel.Telemetry;

/// <summary>What the process holds right now, asked for at each scrape: buffers, sockets, tunnels, and bytes that wait for slow readers.</summary>
internal static class NodeMetrics
{
    public static void Register(MetricRegistry registry, IReadOnlyList<EventLoop> loops, ByteBudget budget)
    {
        void PerLoop(string name, string help, Func<EventLoop, long> value, string? unit = null) => registry.SampledGauge(name, help, samples =>
        {
            foreach (var loop in loops)
                samples.Write(value(loop), LabelSet.Of(("loop", loop.Name)));
        }, unit);
        PerLoop("ztunnel_loop_sockets", "Descriptors that a loop watches (unstable).", l => l.Metrics.OpenSockets);
        PerLoop("ztunnel_tunnel_connections", "Connections that carry tunnels, of either side (unstable).", l => HboneHousekeeping.Of(l).Connections);
        PerLoop("ztunnel_loop_rented_bytes", "Buffers of a loop that are in use (unstable).", l => l.Metrics.RentedBytes, "bytes");
        PerLoop("ztunnel_loop_retained_bytes", "Buffers of a loop that are kept for reuse (unstable).", l => l.Metrics.RetainedBytes, "bytes");
        PerLoop("ztunnel_loop_timers", "Timers of a loop that are waiting (unstable).", l => l.Metrics.ActiveTimers);
        PerLoop("ztunnel_loop_vain_looks", "Times that a loop looked for events before it slept and found none (unstable).", l => l.Metrics.VainLooks);
        PerLoop("ztunnel_loop_unhandled_exceptions", "Faults of this program that a loop caught (unstable).", l => l.Metrics.UnhandledExceptions);
        registry.SampledGauge("ztunnel_waiting_bytes", "Bytes that wait for slow applications (unstable).", samples => samples.Write(budget.Used), "bytes");
    }
}
