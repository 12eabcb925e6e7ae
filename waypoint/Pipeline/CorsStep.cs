using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Pipeline;

/// <summary>Answers preflights; other requests get their headers when the response passes.</summary>
internal sealed class CorsStep
{
    public Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        var exchange = Exchange.Of(http);
        if (exchange.Route?.Cors is not { } cors || !CorsRule.IsPreflight(exchange.Facts))
            return next(http);
        if (!cors.AllowsOrigin(exchange.Facts.Headers.Origin) && cors.ForwardUnmatchedPreflights)
            return next(http);
        cors.WritePreflight(exchange.Facts, http.Response.Headers);
        return LocalReply.WriteAsync(exchange, StatusCodes.Status200OK, string.Empty, "cors_response");
    }
}
