using Mesh.Runtime.Logging;
using Mesh.Waypoint.Forwarding;

namespace Mesh.Waypoint.Telemetry;

/// <summary>One line per request or connection, with Envoy's field names (reference 5.7) and both identities.</summary>
internal sealed class AccessLog(LogSink sink, TimeProvider? time = null)
{
    public const string Target = "access";

    private readonly Log _log = sink.For(Target);
    private readonly TimeProvider _time = time ?? TimeProvider.System;

    public void Write(Exchange exchange, TimeSpan duration)
    {
        if (!_log.IsEnabled(LogSeverity.Info) || exchange.Destination is { IsLogged: false })
            return;
        if (exchange.Destination?.AccessLog is { } rule)
        {
            if (!rule.Takes(exchange))
                return;
            if (rule.Format is { } format)
            {
                _log.Raw(format.Render(exchange, duration, _time.GetUtcNow()));
                return;
            }
        }

        var http = exchange.Http;
        var request = http.Request;
        _log.Event(LogSeverity.Info, "request complete")
            .Address("src.addr", exchange.Connection.Caller.Address)
            .Text("src.identity", exchange.Connection.Caller.Spiffe)
            .Bare("dst.addr", exchange.Connection.OriginalText)
            .Text("dst.service", exchange.Destination?.Hostname)
            .Text("dst.identity", Identity(exchange))
            .Text("method", request.Method)
            .Text("path", exchange.OriginalPath)
            .Text("protocol", request.Protocol)
            .Text("authority", exchange.Facts?.Authority)
            .Number("response_code", exchange.ReportedStatus)
            .Text("response_flags", exchange.Flags.ToText())
            .Text("response_code_details", exchange.Details)
            .Text("upstream_transport_failure_reason", exchange.UpstreamFailure)
            .Text("rate_limit", exchange.RateLimit)
            .Text("authorizer", exchange.Authorizer is { } asked ? $"{asked.Name}: {asked.Verdict}" : null)
            .Text("dry_run", exchange.DryRun)
            .Text("route_name", exchange.Route?.Name)
            .Text("route_origin", exchange.Route?.Origin)
            .Text("upstream_cluster", exchange.Cluster?.Name)
            .Bare("upstream_host", exchange.Endpoint?.Text)
            .Text("dst.workload", exchange.Endpoint?.Description.WorkloadName)
            .Number("attempts", exchange.Attempts)
            .Number("bytes_received", exchange.BytesReceived)
            .Number("bytes_sent", exchange.BytesSent)
            .Text("x_request_id", request.Headers["x-request-id"])
            .Text("user_agent", request.Headers.UserAgent)
            .Text("x_forwarded_for", request.Headers["x-forwarded-for"])
            .Text("trace_id", TraceContext.TraceId(request.Headers["traceparent"]) ?? TraceContext.TraceId(exchange.Connection.TraceParent))
            .Milliseconds("duration", duration)
            .Write();
    }

    public void Write(ConnectionReport report)
    {
        if (!_log.IsEnabled(LogSeverity.Info) || report.Destination is { IsLogged: false } || report.Destination?.AccessLog?.Takes(report) == false)
            return;
        _log.Event(LogSeverity.Info, "connection complete")
            .Address("src.addr", report.Connection.Caller.Address)
            .Text("src.identity", report.Connection.Caller.Spiffe)
            .Bare("dst.addr", report.Connection.Original.ToString())
            .Text("dst.service", report.Destination?.Hostname)
            .Text("response_flags", report.Flags.ToText())
            .Text("error", report.Details)
            .Text("upstream_cluster", report.Cluster?.Name)
            .Bare("upstream_host", report.Endpoint?.Text)
            .Number("bytes_received", report.BytesReceived)
            .Number("bytes_sent", report.BytesSent)
            .Text("trace_id", TraceContext.TraceId(report.Connection.TraceParent))
            .Milliseconds("duration", report.Duration)
            .Write();
    }

    private static string? Identity(Exchange exchange) => exchange.Endpoint?.Description.Identities is { Count: > 0 } identities ? identities[0] : null;
}
