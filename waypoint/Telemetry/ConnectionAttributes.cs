using Mesh.Model.Expressions;
using Mesh.Waypoint.Transport;

namespace Mesh.Waypoint.Telemetry;

/// <summary>A connection that is not HTTP and has ended, as expressions of Telemetry resources see it: what is about requests is missing.</summary>
internal sealed class ConnectionAttributes(ConnectionReport report) : IAttributeSource
{
    public ExpressionValue Get(string name, string? key) => name switch
    {
        "upstream.address" => ExpressionValue.Of(report.Endpoint?.Text),
        "xds.cluster_name" => ExpressionValue.Of(report.Cluster?.Name),
        _ => Of(name, report.Connection),
    };

    public static ExpressionValue Of(string name, InboundConnection connection) => name switch
    {
        "connection.mtls" => ExpressionValue.Of(connection.Caller.Spiffe is not null),
        "connection.uri_san_peer_certificate" => ExpressionValue.Of(connection.Caller.Spiffe),
        "source.address" => ExpressionValue.Of(connection.Caller.Address.ToString()),
        "destination.address" => ExpressionValue.Of(connection.Original.ToString()),
        "destination.port" => ExpressionValue.Of((long)connection.Original.Port),
        _ => ExpressionValue.Missing,
    };
}
