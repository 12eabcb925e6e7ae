using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mesh.Waypoint.Pipeline;

/// <summary>One step: does its part and calls the next, or answers.</summary>
internal delegate Task Step(HttpContext http, RequestDelegate next);

/// <summary>The steps in running order, as the application that Kestrel serves. No host, no container: the list is all there is.</summary>
internal sealed class RequestPipeline : IHttpApplication<HttpContext>
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

    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    public Task ProcessRequestAsync(HttpContext context) => _first(context);

    public void DisposeContext(HttpContext context, Exception? exception)
    {
        // A DefaultHttpContext owns nothing but its feature references.
    }
}
