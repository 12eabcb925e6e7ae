using Microsoft.AspNetCore.Http;

namespace Mesh.Runtime.Admin;

/// <summary>GET /healthz/ready: 200 <c>ready</c>, or 500 with the names of the pending tasks.</summary>
public static class ReadinessPage
{
    public const string Path = "/healthz/ready";

    public static AdminRoutes MapReadiness(this AdminRoutes routes, Readiness readiness) => routes.Map(Path, http =>
    {
        if (!HttpMethods.IsGet(http.Request.Method))
        {
            http.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            return Task.CompletedTask;
        }

        // Text and status from one look, so that they cannot contradict each other.
        var text = readiness.Text;
        return AdminReply.TextAsync(http, text, text == "ready\n" ? StatusCodes.Status200OK : StatusCodes.Status500InternalServerError);
    });
}
