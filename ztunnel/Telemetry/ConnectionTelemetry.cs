using Mesh.Net;
using Mesh.Runtime.Decisions;

namespace Mesh.Ztunnel.Telemetry;

/// <summary>What reports need, per loop: the series memory belongs to one loop, log and records to all.</summary>
internal sealed class ConnectionTelemetry(EventLoop loop, ZtunnelMetrics metrics, AccessLog accessLog, DecisionRing<DecisionRecord>? decisions)
{
    public ZtunnelMetrics Metrics { get; } = metrics;

    public TrafficSeriesMemory Series { get; } = new(metrics);

    public ContextMemory Contexts { get; } = new();

    public AccessLog AccessLog { get; } = accessLog;

    /// <summary>Null: switched off.</summary>
    public DecisionRing<DecisionRecord>? Decisions { get; } = decisions;

    public TimeProvider Time => loop.Time;

    public long Now => loop.Now;
}
