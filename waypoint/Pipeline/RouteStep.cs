using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Pipeline;

/// <summary>Finds service and route by what the CONNECT named; both may have changed since the connection was made.</summary>
internal sealed class RouteStep(Func<RouteTable> table)
{
    public Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        var exchange = Exchange.Of(http);
        if (table().Find(exchange.Connection.Original) is not { } found)
        {
            http.Response.Headers.Connection = HttpProtocol.IsHttp11(http.Request.Protocol) ? "close" : default;
            return LocalReply.WriteAsync(exchange, StatusCodes.Status404NotFound, string.Empty, "route_not_found", ResponseFlags.NoRouteFound);
        }

        exchange.Destination = found.Destination;
        exchange.ChooseRoute(found.Port);
        return next(http);
    }
}
