using Mesh.Waypoint.Forwarding;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Pipeline;

/// <summary>Does what the route says. Last step: nothing is behind it.</summary>
internal sealed class ActionStep(Forwarder forwarder)
{
    public Task InvokeAsync(HttpContext http)
    {
        var exchange = Exchange.Of(http);
        switch (exchange.Route)
        {
            case null:
                return LocalReply.WriteAsync(exchange, StatusCodes.Status404NotFound, string.Empty, "route_not_found", ResponseFlags.NoRouteFound);
            case { Redirect: { } redirect }:
                http.Response.Headers.Location = redirect.Location(exchange.Facts, exchange.Match!);
                return LocalReply.WriteAsync(exchange, redirect.Status, [], "direct_response", asGrpc: false);
            case { DirectResponse: { } direct }:
                // A direct response to a gRPC client stays what the user wrote.
                if (direct.Status is StatusCodes.Status201Created)
                    http.Response.Headers.Location = $"{exchange.Facts.Scheme}://{exchange.Facts.Authority}{exchange.Facts.Path}";
                return LocalReply.WriteAsync(exchange, direct.Status, direct.Body, "direct_response", asGrpc: false);
            case { Forward: { } forward }:
                return forwarder.ForwardAsync(exchange, forward);
            default:
                throw new InvalidOperationException($"route \"{exchange.Route.Name}\" has no action");
        }
    }
}
