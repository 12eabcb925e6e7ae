using Mesh.Runtime.Metrics;

namespace Mesh.Runtime.Admin;

/// <summary>/metrics and /stats/prometheus, any method: OpenMetrics text, labelled and compressed as the scraper asked.</summary>
public static class MetricsPage
{
    private const string OpenMetrics = "application/openmetrics-text;charset=utf-8;version=1.0.0";
    private const string PlainText = "text/plain; charset=utf-8";

    public static AdminRoutes MapMetrics(this AdminRoutes routes, MetricRegistry registry)
    {
        Task Page(Microsoft.AspNetCore.Http.HttpContext http)
        {
            var accept = http.Request.Headers.Accept.ToString();
            var type = accept.Contains("application/openmetrics-text", StringComparison.OrdinalIgnoreCase) ? OpenMetrics : PlainText;
            var encoding = ContentEncoding.Choose(http.Request.Headers.AcceptEncoding.ToString());
            http.Response.Headers.Vary = "accept-encoding";
            if (encoding.Name is { } name)
                http.Response.Headers.ContentEncoding = name;
            return AdminReply.BytesAsync(http, encoding.Encode(registry.Render()), type);
        }

        return routes.Map("/metrics", Page).Map("/stats/prometheus", Page);
    }
}
