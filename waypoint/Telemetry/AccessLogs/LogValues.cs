using System.Globalization;
using Mesh.Model.Expressions;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Telemetry.AccessLogs;

/// <summary>What a line is about.</summary>
internal readonly record struct LogFacts(Exchange Exchange, TimeSpan Duration, DateTimeOffset Start);

/// <summary>What the commands of an access log format stand for.</summary>
internal static class LogValues
{
    /// <returns>Null: there is none.</returns>
    public static string? Of(LogFormatPart part, in LogFacts facts)
    {
        var value = Whole(part, facts);
        return value is not null && value.Length > part.Length ? value[..part.Length] : value;
    }

    private static string? Whole(LogFormatPart part, in LogFacts facts)
    {
        var exchange = facts.Exchange;
        return part.Command switch
        {
            "START_TIME" => facts.Start.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture),
            "REQ" => Header(part.Argument, exchange, exchange.Http.Request.Headers),
            "RESP" => Header(part.Argument, exchange, exchange.Http.Response.Headers),
            "PROTOCOL" => exchange.Http.Request.Protocol,
            "RESPONSE_CODE" => Text(exchange.ReportedStatus),
            "RESPONSE_FLAGS" => exchange.Flags.ToText(),
            "RESPONSE_CODE_DETAILS" => exchange.Details,
            "CONNECTION_TERMINATION_DETAILS" => exchange.TerminationDetails,
            "UPSTREAM_TRANSPORT_FAILURE_REASON" => exchange.UpstreamFailure,
            "BYTES_RECEIVED" => Text(exchange.BytesReceived),
            "BYTES_SENT" => Text(exchange.BytesSent),
            "DURATION" => Text((long)facts.Duration.TotalMilliseconds),
            "UPSTREAM_HOST" => exchange.Endpoint?.Text,
            "UPSTREAM_CLUSTER" or "UPSTREAM_CLUSTER_RAW" => exchange.Cluster?.Name,
            "DOWNSTREAM_LOCAL_ADDRESS" => exchange.Connection.Original.ToString(),
            "DOWNSTREAM_REMOTE_ADDRESS" => exchange.Connection.Caller.Address.ToString(),
            "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => exchange.Connection.Caller.Address.Address.ToString(),
            "DOWNSTREAM_PEER_URI_SAN" => exchange.Connection.Caller.Spiffe,
            "ROUTE_NAME" => exchange.Route?.Name is { Length: > 0 } route ? route : null,
            "GRPC_STATUS_NUMBER" => exchange.GrpcStatus is { } status ? Text(status) : null,
            "UPSTREAM_REQUEST_ATTEMPT_COUNT" => Text(exchange.Attempts),
            "HOSTNAME" => Environment.MachineName,
            "TRACE_ID" => TraceContext.TraceId(exchange.Http.Request.Headers["traceparent"]) ?? TraceContext.TraceId(exchange.Connection.TraceParent),

            // Behind a tunnel there is no TLS of the application and no local address worth a name.
            _ => null,
        };
    }

    /// <summary><c>first?alternative</c>.</summary>
    private static string? Header(string argument, Exchange exchange, IHeaderDictionary headers)
    {
        var question = argument.IndexOf('?', StringComparison.Ordinal);
        var first = One(exchange, headers, question < 0 ? argument : argument[..question]);
        return first is null && question >= 0 ? One(exchange, headers, argument[(question + 1)..]) : first;
    }

    private static string? One(Exchange exchange, IHeaderDictionary headers, string name) => name switch
    {
        ":path" or "x-envoy-original-path" => exchange.OriginalPath,
        ":method" => exchange.Http.Request.Method,
        ":authority" or "host" => exchange.Facts?.Authority,
        ":scheme" => exchange.Facts?.Scheme,
        _ => headers.TryGetValue(name, out var values) && values.Count > 0 ? HeaderMatcher.Join(values) : null,
    };

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
