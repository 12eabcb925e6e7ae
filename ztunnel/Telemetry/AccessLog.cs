using System.Net;
using Mesh.Model;
using Mesh.Runtime.Logging;

namespace Mesh.Ztunnel.Telemetry;

/// <summary>The access lines: fields and their order are those of the Rust ztunnel, ours follow at the end.</summary>
internal sealed class AccessLog(LogSink sink, TimeProvider time)
{
    private readonly Log _log = sink.For("access");

    public void Opened(ConnectionReport report, ConnectionContext context)
    {
        if (_log.IsEnabled(LogSeverity.Debug))
            Describe(_log.Event(LogSeverity.Debug, "connection opened"), report, context).Write();
    }

    public void Completed(ConnectionReport report, ConnectionContext context, Ending ending, string? error)
    {
        var severity = error is null ? LogSeverity.Info : LogSeverity.Error;
        if (!_log.IsEnabled(severity))
            return;
        // Each side counts from its own view: what the outbound side sent is what the inbound side received.
        var (sent, received) = report.IsOutbound ? (report.BytesForwarded, report.BytesReturned) : (report.BytesReturned, report.BytesForwarded);
        var line = Describe(_log.Event(severity, "connection complete"), report, context)
            .Number("bytes_sent", sent)
            .Number("bytes_recv", received)
            .Milliseconds("duration", report.Times.Total(time))
            .Text("error", error);
        Ours(line, report, ending).Write();
    }

    public void Denied(ConnectionReport report, Ending ending, string? error)
    {
        if (!_log.IsEnabled(LogSeverity.Warn))
            return;
        var line = _log.Event(LogSeverity.Warn, "connection failed")
            .Address("src.addr", report.Source)
            .Address("dst.addr", report.Destination)
            .Text("direction", Direction(report))
            .Text("error", error);
        Ours(line, report, ending).Write();
    }

    private LogEvent Ours(LogEvent line, ConnectionReport report, Ending ending)
    {
        line.Text("policies", report.Verdict.Steps is { Count: > 0 } steps ? string.Join("; ", steps) : null).Text("ending", ending.Name()).Text("trace_id", report.TraceId);
        if (report.Times.Deciding(time) is { } deciding)
            line.Milliseconds("time.decide", deciding);
        if (report.Times.Connecting(time) is { } connecting)
            line.Milliseconds("time.connect", connecting);
        if (report.Times.Tls is { } tls)
            line.Milliseconds("time.tls", tls);
        if (report.Times.ToFirstByte(time) is { } first)
            line.Milliseconds("time.first_byte", first);
        if (report.Times.Idle(time) is { } idle)
            line.Milliseconds("time.idle", idle);
        return line;
    }

    private static LogEvent Describe(LogEvent line, ConnectionReport report, ConnectionContext context)
    {
        line.Address("src.addr", report.Source).Text("src.workload", context.SourceName).Text("src.namespace", context.Source?.Namespace);
        if (context.IsMutualTls)
            line.Text("src.identity", context.SourceIdentity?.ToString());
        line.Text("src.client_identity", context.ClientIdentity?.ToString())
            .Text("src.cluster", context.Source?.ClusterId)
            .Bare("dst.addr", context.Hop is IPEndPoint ? null : context.Hop.ToString())
            .Address("dst.addr", context.Hop as IPEndPoint)
            .Bare("dst.hbone_addr", context.HboneTarget)
            .Text("dst.service", context.Service?.Hostname)
            .Text("dst.workload", context.DestinationName)
            .Text("dst.namespace", context.Destination?.Namespace);
        if (context.IsMutualTls)
            line.Text("dst.identity", context.DestinationIdentity?.ToString());
        return line.Text("dst.cluster", context.Destination?.ClusterId).Text("direction", Direction(report));
    }

    private static string Direction(ConnectionReport report) => report.IsOutbound ? "outbound" : "inbound";
}
