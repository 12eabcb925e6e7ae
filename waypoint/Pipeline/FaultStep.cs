using System.Text;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Pipeline;

/// <summary>Injected faults: the delay first, then the abort. Neither counts towards the route's timeout.</summary>
internal sealed class FaultStep(TimeProvider time, Random random)
{
    public Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        var exchange = Exchange.Of(http);
        return exchange.Route?.Fault is { } fault ? InjectAsync(exchange, fault, next) : next(http);
    }

    private async Task InjectAsync(Exchange exchange, FaultRule fault, RequestDelegate next)
    {
        var http = exchange.Http;
        if (fault.ShouldDelay(random))
        {
            exchange.Flags |= ResponseFlags.DelayInjected;
            await Task.Delay(fault.Delay, time, http.RequestAborted);
        }

        if (fault.ShouldAbort(random))
        {
            await LocalReply.WriteAsync(
                exchange,
                fault.AbortStatus,
                Encoding.UTF8.GetBytes("fault filter abort"),
                "fault_filter_abort",
                ResponseFlags.FaultInjected,
                grpcStatus: fault.AbortGrpcStatus);
            return;
        }

        await next(http);
    }
}
