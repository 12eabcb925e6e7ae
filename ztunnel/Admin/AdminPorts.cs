using Mesh.Runtime;
using Mesh.Runtime.Admin;
using Mesh.Runtime.Decisions;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;
using Mesh.Ztunnel.Pods;
using Mesh.Ztunnel.Settings;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Admin;

/// <summary>The pages of the process: 15000 for people on the node, 15020 for scrapers, 15021 for the kubelet.</summary>
internal static class AdminPorts
{
    private const string Index = """
        <html><head><title>ztunnel</title></head><body><h2>ztunnel</h2><ul>
        <li><a href="config_dump">config_dump</a>: everything that decisions rest on</li>
        <li><a href="decisions">decisions</a>: why recent connections went where they went (?src= &amp;dst= &amp;id= &amp;ending= &amp;limit= &amp;open=)</li>
        <li>POST <a href="logging">logging</a>: show or change what is logged (?level=, ?reset)</li>
        <li>POST <a href="quitquitquit">quitquitquit</a>: shut down</li>
        </ul></body></html>

        """;

    public static AdminServer Make(
        ZtunnelSettings settings, LogSink sink, MetricRegistry registry, Readiness readiness, ConfigDump dump, DecisionRing<DecisionRecord>? decisions, PodManager pods,
        TaskCompletionSource<string> stop)
    {
        var server = new AdminServer(sink);
        server.Listen("admin", AdminServer.Loopback(settings.Admin.Port, settings.Ipv6), routes =>
        {
            routes.Map("/", http => AdminReply.BytesAsync(http, System.Text.Encoding.UTF8.GetBytes(Index), "text/html; charset=utf-8"));
            routes.Map("/config_dump", async http => await AdminReply.JsonAsync(http, await dump.RenderAsync()));
            routes.Map("/quitquitquit", async http =>
            {
                if (!await AdminReply.RequirePostAsync(http))
                    return;
                await AdminReply.TextAsync(http, "shutdown now\n");
                stop.TrySetResult("shutdown requested by /quitquitquit");
            });
            routes.MapLogging(sink, sink.Filter);
            if (decisions is not null)
                routes.MapDecisions(decisions, pods.FindOpenAsync);
        });
        server.Listen("stats", AdminServer.Any(settings.Admin.StatsPort, settings.Ipv6), routes => routes.MapMetrics(registry));
        server.Listen("readiness", AdminServer.Any(settings.Admin.ReadinessPort, settings.Ipv6), routes => routes.MapReadiness(readiness));
        return server;
    }
}
