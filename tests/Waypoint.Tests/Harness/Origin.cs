using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Mesh.Waypoint.Tests.Harness;

/// <summary>An application behind the waypoint: Kestrel with one handler.</summary>
internal sealed class Origin : IAsyncDisposable
{
    private readonly WebApplication _app;

    private Origin(WebApplication app) => _app = app;

    public int Port { get; private set; }

    public int Count => _count;

    private int _count;

    public static async Task<Origin> StartAsync(RequestDelegate handler, HttpProtocols protocols = HttpProtocols.Http1, string address = "127.0.0.1", int port = 0, Action<KestrelServerLimits>? configure = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(o =>
        {
            o.Listen(IPAddress.Parse(address), port, l => l.Protocols = protocols);
            o.Limits.MaxRequestBodySize = null;
            configure?.Invoke(o.Limits);
        });
        var app = builder.Build();
        Origin? origin = null;
        app.Run(http =>
        {
            Interlocked.Increment(ref origin!._count);
            return handler(http);
        });
        origin = new Origin(app);
        await app.StartAsync();
        origin.Port = new Uri(app.Urls.First()).Port;
        return origin;
    }

    public static Task<Origin> TextAsync(string text, int status = 200) => StartAsync(http =>
    {
        http.Response.StatusCode = status;
        return http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(text)).AsTask();
    });

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }
}
