using System.Diagnostics;

namespace Mesh.Waypoint.Telemetry;

/// <summary>W3C trace context, as far as the mesh carries it itself.</summary>
internal static class TraceContext
{
    /// <summary>The trace id of <c>version-traceid-spanid-flags</c>; null where the header is not well-formed.</summary>
    public static string? TraceId(string? traceParent) =>
        traceParent is { Length: >= 55 } && traceParent[2] == '-' && traceParent[35] == '-' ? traceParent.Substring(3, 32) : null;

    /// <summary>The same trace with a span of our own, so that the next hop's record names the waypoint as its parent.</summary>
    public static string Continue(string? traceParent)
    {
        var trace = TraceId(traceParent) ?? ActivityTraceId.CreateRandom().ToHexString();
        var flags = traceParent is { Length: >= 55 } ? traceParent.Substring(53, 2) : "00";
        return $"00-{trace}-{ActivitySpanId.CreateRandom().ToHexString()}-{flags}";
    }
}
