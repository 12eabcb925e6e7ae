using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Transport;

namespace Mesh.Waypoint.Telemetry;

/// <summary>How a connection that is not HTTP ended; one each.</summary>
internal sealed record ConnectionReport(
    InboundConnection Connection,
    Destination? Destination,
    ClusterState? Cluster,
    EndpointState? Endpoint,
    ResponseFlags Flags,
    string? Details,
    long BytesReceived,
    long BytesSent,
    TimeSpan Duration);

/// <summary>Receives the reports of connections and requests.</summary>
internal interface IConnectionReporter
{
    void Report(ConnectionReport report);
}

/// <summary>Receives the exchange of each request when it has ended.</summary>
internal interface IRequestReporter
{
    void Report(Exchange exchange, TimeSpan duration);
}
