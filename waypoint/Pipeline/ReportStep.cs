using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Pipeline;

/// <summary>Makes the exchange, and reports it once when everything behind has ended.</summary>
internal sealed class ReportStep(IRequestReporter reporter, TimeProvider time, DrainSignal draining)
{
    public async Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        var context = (WaypointContext)http;
        var exchange = new Exchange(http, context.Inbound, time.GetTimestamp());
        context.Exchange = exchange;
        draining.Apply(http);
        try
        {
            await next(http);
        }
        catch (Exception e) when (e is not OutOfMemoryException && !http.Response.HasStarted)
        {
            // Ours to fix; the client gets an answer, the log the reason.
            exchange.UpstreamFailure = e.ToString();
            await LocalReply.WriteAsync(exchange, StatusCodes.Status500InternalServerError, "internal error of the waypoint", "internal_error", ResponseFlags.LocalReset);
        }
        finally
        {
            if (http.RequestAborted.IsCancellationRequested && exchange.Details is null)
            {
                exchange.Flags |= ResponseFlags.DownstreamConnectionTermination;
                exchange.Details = "downstream_remote_disconnect";
            }

            reporter.Report(exchange, time.GetElapsedTime(exchange.StartedAt));
        }
    }
}
