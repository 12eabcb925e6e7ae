using Mesh.Model.Expressions;
using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Telemetry;

/// <summary>A request that has ended, as expressions of Telemetry resources see it.</summary>
internal sealed class RequestAttributes(Exchange exchange) : IAttributeSource
{
    public ExpressionValue Get(string name, string? key)
    {
        if (exchange.Facts is not { } facts)
            return ExpressionValue.Missing;
        var http = exchange.Http;
        return name switch
        {
            "request.method" => ExpressionValue.Of(facts.Method),
            "request.path" => ExpressionValue.Of(exchange.OriginalPath),
            "request.url_path" => ExpressionValue.Of(facts.Path),
            "request.query" => ExpressionValue.Of(facts.Query),
            "request.host" => ExpressionValue.Of(facts.Authority),
            "request.scheme" => ExpressionValue.Of(facts.Scheme),
            "request.protocol" => ExpressionValue.Of(http.Request.Protocol),
            "request.useragent" => Header(http.Request.Headers, "user-agent"),
            "request.id" => Header(http.Request.Headers, "x-request-id"),
            "request.size" => ExpressionValue.Of(exchange.BytesReceived),
            "request.headers" => Header(http.Request.Headers, key!),
            "response.code" => ExpressionValue.Of(exchange.ReportedStatus),
            "response.code_details" => ExpressionValue.Of(exchange.Details),
            "response.grpc_status" => ExpressionValue.Of(exchange.GrpcStatus),
            "response.size" => ExpressionValue.Of(exchange.BytesSent),
            "response.headers" => Header(http.Response.Headers, key!),
            "upstream.address" => ExpressionValue.Of(exchange.Endpoint?.Text),
            "xds.cluster_name" => ExpressionValue.Of(exchange.Cluster?.Name),
            "xds.route_name" => ExpressionValue.Of(exchange.Route?.Name),
            _ => ConnectionAttributes.Of(name, exchange.Connection),
        };
    }

    private static ExpressionValue Header(IHeaderDictionary headers, string name) =>
        headers.TryGetValue(name, out var values) && values.Count > 0 ? ExpressionValue.Of(HeaderMatcher.Join(values)) : ExpressionValue.Missing;
}
