using System.Diagnostics;
using Mesh.Waypoint.Telemetry.Tracing;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Pipeline;

/// <summary>One server span per sampled request (reference 5.8). Whoever called decides about sampling; where nobody did the rule's share is drawn.</summary>
internal sealed class TracingStep(SpanReporters reporters, TimeProvider time, Random random)
{
    public Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        var exchange = Exchange.Of(http);
        return exchange.Destination!.Tracing is { } rule ? TraceAsync(exchange, rule, next) : next(http);
    }

    private async Task TraceAsync(Exchange exchange, TracingRule rule, RequestDelegate next)
    {
        var http = exchange.Http;
        var headers = http.Request.Headers;
        var incoming = TraceHeaders.Read(headers);
        var sampled = incoming?.Sampled ?? random.NextDouble() < rule.Fraction;
        var parent = incoming?.Context ?? default;
        var span = sampled && rule.Reporter is { } reporter ? Start(exchange, reporter, parent) : null;
        if (rule.Propagates)
        {
            var trace = span?.TraceId ?? (parent.TraceId == default ? ActivityTraceId.CreateRandom() : parent.TraceId);
            TraceHeaders.Write(headers, trace, span?.SpanId ?? ActivitySpanId.CreateRandom(), parent.SpanId, sampled);
        }

        try
        {
            await next(http);
        }
        finally
        {
            if (span is not null)
            {
                SpanTags.Set(span, exchange, rule);
                span.SetEndTime(time.GetUtcNow().UtcDateTime);
                span.Stop();
                span.Dispose();
            }
        }
    }

    private Activity? Start(Exchange exchange, ReporterKey reporter, ActivityContext parent)
    {
        var name = $"{exchange.Destination!.Hostname}:{exchange.Connection.Original.Port}/*";
        var span = reporters.SourceOf(reporter).CreateActivity(name, ActivityKind.Server, parent);
        if (span is null)
            return null;
        var ambient = Activity.Current;
        span.SetStartTime((time.GetUtcNow() - time.GetElapsedTime(exchange.StartedAt)).UtcDateTime);
        span.Start();

        // It is carried by hand: as the ambient one it would become the parent of whatever the runtime traces on this flow.
        Activity.Current = ambient;
        return span;
    }
}
