namespace Mesh.Waypoint.Telemetry;

/// <summary>Everything that happens once per request or connection when it has ended.</summary>
internal sealed class Reporter(AccessLog log, WaypointMetrics metrics, RequestDecisions? decisions) : IRequestReporter, IConnectionReporter
{
    public void Report(Exchange exchange, TimeSpan duration)
    {
        metrics.Record(exchange, duration);
        log.Write(exchange, duration);
        decisions?.Record(exchange, duration);
    }

    public void Report(ConnectionReport report)
    {
        metrics.Record(report);
        log.Write(report);
        decisions?.Record(report);
    }
}
