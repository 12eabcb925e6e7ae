using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Abstractions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mesh.Waypoint.Pipeline;

/// <summary>One step: does its part and calls the next, or answers.</summary>
internal delegate Task Step(HttpContext http, RequestDelegate next);

/// <summary>The steps in running order, as the application that Kestrel serves. No host, no container: the list is all there is.</summary>
internal sealed class RequestPipeline : IHttpApplication<WaypointContext>
{
    private readonly RequestDelegate _first;

    /// <param name="steps">In running order.</param>
    /// <param name="last">What answers when every step has passed the request on.</param>
    public RequestPipeline(IReadOnlyList<Step> steps, RequestDelegate last)
    {
        var next = last;
        foreach (var step in steps.Reverse())
        {
            var following = next;
            next = http => step(http, following);
        }

        _first = next;
    }

    public WaypointContext CreateContext(IFeatureCollection contextFeatures)
    {
        // Kestrel keeps one place for it per connection.
        var place = contextFeatures as IHostContextContainer<WaypointContext>;
        var context = place?.HostContext ?? new WaypointContext();
        if (place is not null)
            place.HostContext = context;
        context.Begin(contextFeatures);
        return context;
    }

    public Task ProcessRequestAsync(WaypointContext context) => _first(context);

    public void DisposeContext(WaypointContext context, Exception? exception) => context.End();
}
