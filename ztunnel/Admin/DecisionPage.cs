using System.Text;
using System.Text.Json;
using Mesh.Model;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Admin;

/// <summary><c>GET /decisions?src=&amp;dst=&amp;id=&amp;ending=&amp;limit=</c>: one JSON object per line, newest first.</summary>
internal static class DecisionPage
{
    private const int DefaultLimit = 1000;

    public static string Render(DecisionRing ring, TimeProvider time, string? source, string? destination, string? id, string? ending, int? limit)
    {
        using var buffer = new MemoryStream();
        foreach (var record in ring.Newest().Where(r => r.Matches(source, destination, id, ending)).Take(limit ?? DefaultLimit))
        {
            using (var json = new Utf8JsonWriter(buffer))
                Write(json, record, time);
            buffer.WriteByte((byte)'\n');
        }
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    private static void Write(Utf8JsonWriter json, DecisionRecord record, TimeProvider time)
    {
        json.WriteStartObject();
        json.WriteNumber("number", record.Number);
        json.WriteString("time", record.Time);
        json.WriteString("direction", record.IsOutbound ? "outbound" : "inbound");
        json.WriteString("ending", record.Ending.Name());
        Text(json, "error", record.Error);
        Text(json, "trace_id", record.TraceId);
        json.WriteString("src.addr", record.Source.ToString());
        json.WriteString("dst.original", record.Destination.ToString());
        if (record.Context is { } context)
        {
            Text(json, "src.workload", context.SourceName);
            Text(json, "src.identity", context.SourceIdentity?.ToString());
            Text(json, "src.client_identity", context.ClientIdentity?.ToString());
            Text(json, "dst.addr", context.Hop.ToString());
            Text(json, "dst.hbone_addr", context.HboneTarget);
            Text(json, "dst.service", context.Service?.Hostname);
            Text(json, "dst.workload", context.DestinationName);
            Text(json, "dst.identity", context.DestinationIdentity?.ToString());
            json.WriteBoolean("mutual_tls", context.IsMutualTls);
        }
        json.WriteNumber("bytes_forwarded", record.BytesForwarded);
        json.WriteNumber("bytes_returned", record.BytesReturned);
        Milliseconds(json, "decide_ms", record.Times.Deciding(time));
        Milliseconds(json, "connect_ms", record.Times.Connecting(time));
        Milliseconds(json, "first_byte_ms", record.Times.ToFirstByte(time));
        Milliseconds(json, "total_ms", record.Times.Total(time));
        if (record.Steps is { Count: > 0 } steps)
        {
            json.WriteStartArray("steps");
            foreach (var step in steps)
                json.WriteStringValue(step);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    private static void Text(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null)
            json.WriteString(name, value);
    }

    private static void Milliseconds(Utf8JsonWriter json, string name, TimeSpan? value)
    {
        if (value is { } duration)
            json.WriteNumber(name, Math.Round(duration.TotalMilliseconds, 3));
    }
}
