using Mesh.Net;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Local;

/// <summary>What all connections of one loop share. Loop only.</summary>
internal sealed class LoopServices(EventLoop loop, ConnectionTelemetry telemetry)
{
    public EventLoop Loop { get; } = loop;

    public ConnectionTelemetry Telemetry { get; } = telemetry;

    public PlainPumps PlainPumps { get; } = new(loop);

    /// <summary>Dice for waypoints and endpoints; not for secrets.</summary>
    public Random Random { get; } = new();

    /// <summary>What each workload has to do for us from this loop.</summary>
    public WorkloadLoad Load { get; } = new();
}
