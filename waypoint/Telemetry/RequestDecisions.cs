using Mesh.Model;
using Mesh.Runtime.Decisions;
using Mesh.Waypoint.Forwarding;

namespace Mesh.Waypoint.Telemetry;

/// <summary>Puts requests and connections into the ring that <c>/decisions</c> shows. What did not go well at the first try always is; of the rest a share.</summary>
internal sealed class RequestDecisions(int capacity, int samplingPercent, Func<long> snapshot, TimeProvider time, Random random)
{
    public DecisionRing<RequestDecision> Ring { get; } = new(capacity);

    public void Record(Exchange exchange, TimeSpan duration)
    {
        var ending = RequestEnding.Of(exchange.Flags, exchange.Details);
        if (ending == Ending.Ok && exchange.Attempts <= 1 && exchange.Tries is null && exchange.DryRun is null && samplingPercent < 100 && random.Next(100) >= samplingPercent)
            return;
        var http = exchange.Http;
        var clientLeft = exchange.Flags.Has(ResponseFlags.DownstreamConnectionTermination) && !http.Response.HasStarted;
        var own = TraceContext.TraceId(http.Request.Headers["traceparent"]);
        var connection = TraceContext.TraceId(exchange.Connection.TraceParent);
        Ring.Add(new RequestDecision
        {
            Time = time.GetUtcNow(),
            IsRequest = true,
            How = ending,
            Caller = exchange.Connection.Caller,
            Original = exchange.Connection.Original,
            Snapshot = snapshot(),
            Duration = duration,
            TraceId = connection ?? own,
            UpstreamTraceId = own,
            Destination = exchange.Destination,
            Route = exchange.Route,
            Cluster = exchange.Cluster,
            Endpoint = exchange.Endpoint,
            Method = http.Request.Method,
            Authority = exchange.Facts?.Authority,
            Path = exchange.OriginalPath,
            Status = clientLeft ? 0 : http.Response.StatusCode,
            Flags = exchange.Flags.ToText(),
            Details = exchange.Details,
            Failure = exchange.UpstreamFailure,
            Policy = exchange.Authorizer is { } asked ? $"{asked.Name}: {asked.Verdict}" : exchange.RateLimit,
            Steps = Steps(exchange),
            Attempts = exchange.Attempts,
            BytesReceived = exchange.BytesReceived,
            BytesSent = exchange.BytesSent,
            FirstByte = exchange.UpstreamServiceMilliseconds is { } first ? TimeSpan.FromMilliseconds(first) : null,
        });
    }

    public void Record(ConnectionReport report)
    {
        var trace = TraceContext.TraceId(report.Connection.TraceParent);
        Ring.Add(new RequestDecision
        {
            Time = time.GetUtcNow(),
            IsRequest = false,
            How = RequestEnding.Of(report.Flags, report.Details),
            Caller = report.Connection.Caller,
            Original = report.Connection.Original,
            Snapshot = snapshot(),
            Duration = report.Duration,
            TraceId = trace,
            UpstreamTraceId = trace,
            Destination = report.Destination,
            Cluster = report.Cluster,
            Endpoint = report.Endpoint,
            Flags = report.Flags.ToText(),
            Details = report.Details,
            BytesReceived = report.BytesReceived,
            BytesSent = report.BytesSent,
        });
    }

    private static IReadOnlyList<string> Steps(Exchange exchange)
    {
        if (exchange.DryRun is null)
            return exchange.Tries ?? [];
        return [.. exchange.Tries ?? [], $"dry run: {exchange.DryRun}"];
    }
}
