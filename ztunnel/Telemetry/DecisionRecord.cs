using System.Globalization;
using System.Net;
using System.Text.Json;
using Mesh.Model;
using Mesh.Runtime.Decisions;

namespace Mesh.Ztunnel.Telemetry;

/// <summary>Why one connection went where it went and how it ended. Holds what the connection held anyway: making one costs one object.</summary>
/// <param name="How">Null: it is still open.</param>
internal sealed record DecisionRecord(
    DateTimeOffset Time,
    bool IsOutbound,
    IPEndPoint Source,
    IPEndPoint Destination,
    ConnectionContext? Context,
    ConnectionVerdict Verdict,
    Ending? How,
    string? Error,
    string? PeerReason,
    long BytesForwarded,
    long BytesReturned,
    TimeParts Times,
    TimeProvider Clock,
    UInt128 Trace) : IDecision
{
    public string? TraceId => Trace == UInt128.Zero ? null : TraceText(Trace);

    public string Ending => How?.Name() ?? IDecision.Open;

    public static string TraceText(UInt128 trace) => trace.ToString("x32", CultureInfo.InvariantCulture);

    public bool IsFrom(string text) =>
        Contains(text, Source.ToString(), Context?.SourceName, Context?.SourceIdentity?.ToString(), Context?.ClientIdentity?.ToString());

    public bool IsTo(string text) =>
        Contains(text, Destination.ToString(), Context?.DestinationName, Context?.HboneTarget, Context?.Service?.Hostname, Context?.DestinationIdentity?.ToString());

    public void Write(Utf8JsonWriter json)
    {
        json.WriteString("time", Time);
        json.WriteString("direction", IsOutbound ? "outbound" : "inbound");
        json.WriteString("ending", Ending);
        json.Text("error", Error);
        json.Text("peer_reason", PeerReason);
        json.Text("trace_id", TraceId);
        if (Verdict.Snapshot > 0)
            json.WriteNumber("snapshot", Verdict.Snapshot);
        json.WriteString("src.addr", Source.ToString());
        json.WriteString("dst.original", Destination.ToString());
        if (Context is { } context)
            Write(json, context);
        if (Times.Tunnel != TunnelOrigin.None)
            json.WriteString("tunnel", Times.Tunnel == TunnelOrigin.New ? "new" : "reused");
        json.Text("policy", Verdict.Text);
        json.Texts("steps", Verdict.Steps);
        json.WriteNumber("bytes_forwarded", BytesForwarded);
        json.WriteNumber("bytes_returned", BytesReturned);
        json.Milliseconds("decide_ms", Times.Deciding(Clock));
        json.Milliseconds("connect_ms", Times.Connecting(Clock));
        json.Milliseconds("tcp_ms", Times.Tcp);
        json.Milliseconds("tls_ms", Times.Tls);
        json.Milliseconds("first_byte_ms", Times.ToFirstByte(Clock));
        json.Milliseconds("idle_ms", Times.Idle(Clock));
        json.Milliseconds("total_ms", Times.Total(Clock));
    }

    private static void Write(Utf8JsonWriter json, ConnectionContext context)
    {
        json.Text("src.workload", context.SourceName);
        json.Text("src.namespace", context.Source?.Namespace);
        if (context.IsMutualTls)
            json.Text("src.identity", context.SourceIdentity?.ToString());
        json.Text("src.client_identity", context.ClientIdentity?.ToString());
        json.Text("dst.addr", context.Hop.ToString());
        json.Text("dst.hbone_addr", context.HboneTarget);
        json.Text("dst.service", context.Service?.Hostname);
        json.Text("dst.workload", context.DestinationName);
        json.Text("dst.namespace", context.Destination?.Namespace);
        if (context.IsMutualTls)
            json.Text("dst.identity", context.DestinationIdentity?.ToString());
        json.Text("route", context.Route);
    }

    private static bool Contains(string wanted, params ReadOnlySpan<string?> candidates)
    {
        foreach (var candidate in candidates)
        {
            if (candidate?.Contains(wanted, StringComparison.Ordinal) == true)
                return true;
        }
        return false;
    }
}
