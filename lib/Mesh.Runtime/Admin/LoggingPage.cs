using Mesh.Runtime.Logging;
using Microsoft.AspNetCore.Http;

namespace Mesh.Runtime.Admin;

/// <summary>POST /logging: shows, changes (<c>?level=</c>) or resets (<c>?reset</c>) what is logged, while the process runs.</summary>
public static class LoggingPage
{
    public const string Path = "/logging";

    // Byte for byte what the Rust ztunnel answers; scripts look for the "current log level" line.
    private const string Usage =
        " \nusage: POST /logging\t\t\t\t\t\t(To list current level)\n"
        + "usage: POST /logging?level=<level>\t\t\t\t(To change global levels)\n"
        + "usage: POST /logging?level={mod1}:{level1},{mod2}:{level2}\t(To change specific mods' logging level)\n\n"
        + "hint: loglevel:\terror|warn|info|debug|trace|off\n"
        + "hint: mod_name:\tthe module name, i.e. ztunnel::proxy\n";

    /// <param name="routes">The admin port.</param>
    /// <param name="sink">Whose filter is shown and changed.</param>
    /// <param name="initial">What a reset goes back to: the filter of the start.</param>
    public static AdminRoutes MapLogging(this AdminRoutes routes, LogSink sink, LogFilter initial) => routes.Map(Path, async http =>
    {
        if (!await AdminReply.RequirePostAsync(http, "Invalid HTTP method\n" + Usage))
            return;
        var filter = http.Request.Query.ContainsKey("reset") ? initial : sink.Filter;
        var level = http.Request.Query["level"].ToString();
        if (!filter.TryAdd(level, out filter, out _))
        {
            await AdminReply.TextAsync(http, $"Invalid level provided: {level}\n{Usage.AsSpan(1)}", StatusCodes.Status400BadRequest);
            return;
        }

        sink.Filter = filter;
        await AdminReply.TextAsync(http, $"current log level is {filter}\n");
    });
}
