using System.Diagnostics;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Telemetry.Tracing;

/// <summary>
/// The trace context of a request: W3C <c>traceparent</c>, else B3 in its single header or its several ones. What is written back is what was there;
/// a request that brought none gets <c>traceparent</c>.
/// </summary>
internal static class TraceHeaders
{
    /// <returns>The context; its decision is null where the client left it open.</returns>
    public static (ActivityContext Context, bool? Sampled)? Read(IHeaderDictionary headers)
    {
        if (headers.TryGetValue("traceparent", out var w3c) && ActivityContext.TryParse(w3c.ToString(), headers["tracestate"].ToString(), isRemote: true, out var context))
            return (context, context.TraceFlags.HasFlag(ActivityTraceFlags.Recorded));
        if (headers.TryGetValue("b3", out var single))
        {
            var parts = single.ToString().Split('-');
            return parts.Length >= 2 ? Make(parts[0], parts[1], parts.Length > 2 ? parts[2] : null) : null;
        }

        return headers.TryGetValue("x-b3-traceid", out var trace)
            ? Make(trace.ToString(), headers["x-b3-spanid"].ToString(), headers["x-b3-flags"] == "1" ? "d" : headers["x-b3-sampled"].ToString())
            : null;
    }

    public static void Write(IHeaderDictionary headers, ActivityTraceId trace, ActivitySpanId span, ActivitySpanId parent, bool sampled)
    {
        var hasSingle = headers.ContainsKey("b3");
        var hasSeveral = headers.ContainsKey("x-b3-traceid");
        if (headers.ContainsKey("traceparent") || !(hasSingle || hasSeveral))
            headers["traceparent"] = $"00-{trace.ToHexString()}-{span.ToHexString()}-{(sampled ? "01" : "00")}";
        if (hasSingle)
            headers["b3"] = $"{trace.ToHexString()}-{span.ToHexString()}-{(sampled ? "1" : "0")}{(parent == default ? string.Empty : "-" + parent.ToHexString())}";
        if (!hasSeveral)
            return;
        headers["x-b3-traceid"] = trace.ToHexString();
        headers["x-b3-spanid"] = span.ToHexString();
        headers["x-b3-sampled"] = sampled ? "1" : "0";
        if (parent != default)
            headers["x-b3-parentspanid"] = parent.ToHexString();
    }

    // B3 allows 64-bit trace ids: they are the lower half.
    private static (ActivityContext Context, bool? Sampled)? Make(string trace, string span, string? sampled)
    {
        trace = trace.Length == 16 ? new string('0', 16) + trace : trace;
        if (trace.Length != 32 || span.Length != 16 || !IsLowerHex(trace) || !IsLowerHex(span))
            return null;
        bool? decision = sampled switch
        {
            "1" or "d" or "true" => true,
            "0" or "false" => false,
            _ => null,
        };
        var flags = decision == true ? ActivityTraceFlags.Recorded : ActivityTraceFlags.None;
        return (new ActivityContext(ActivityTraceId.CreateFromString(trace), ActivitySpanId.CreateFromString(span), flags, isRemote: true), decision);
    }

    private static bool IsLowerHex(string text) => !text.AsSpan().ContainsAnyExcept("0123456789abcdef") && text.AsSpan().ContainsAnyExcept('0');
}
