using System.Net;
using System.Net.Sockets;
using Mesh.Runtime.Logging;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Mesh.Runtime.Admin;

/// <summary>Admin pages, metrics and readiness of a process: several ports, each with its own pages, on one Kestrel without a host.</summary>
/// <remarks>
/// HTTP/1.1 only, request headers within 2 s and 8 KiB. No dependency injection, no middleware, no routing tables: a node agent
/// must not pay the start time and memory of a web application for four pages.
/// </remarks>
public sealed class AdminServer : IAsyncDisposable
{
    private const int HeaderLimit = 8 * 1024;
    private static readonly TimeSpan HeaderTimeout = TimeSpan.FromSeconds(2);

    // Metrics and readiness are open to whoever reaches the node: what is silent goes, and their number on one port is bounded.
    private static readonly TimeSpan SilenceTimeout = TimeSpan.FromSeconds(30);
    private const int MaxConnectionsPerPort = 1024;

    private readonly Log? _log;
    private readonly ILoggerFactory _loggers;
    private readonly List<AdminPort> _ports = [];
    private KestrelServer? _server;

    public AdminServer(LogSink? sink = null)
    {
        _log = sink?.For("admin");
        _loggers = sink is null ? NullLoggerFactory.Instance : new LogSinkLoggerFactory(sink);
    }

    /// <summary>127.0.0.1 and ::1, for pages that reveal or change something.</summary>
    public static IReadOnlyList<IPEndPoint> Loopback(int port, bool ipv6 = true) =>
        ipv6 ? [new(IPAddress.Loopback, port), new(IPAddress.IPv6Loopback, port)] : [new(IPAddress.Loopback, port)];

    /// <summary>Every address of the machine, both families.</summary>
    public static IReadOnlyList<IPEndPoint> Any(int port, bool ipv6 = true) => [new(ipv6 ? IPAddress.IPv6Any : IPAddress.Any, port)];

    /// <summary>Declares a port; nothing is bound before <see cref="StartAsync"/>.</summary>
    public AdminPort Listen(string name, IReadOnlyList<IPEndPoint> endPoints, Action<AdminRoutes> pages)
    {
        var routes = new AdminRoutes();
        pages(routes);
        var port = new AdminPort(name, endPoints, routes);
        _ports.Add(port);
        return port;
    }

    /// <summary>Binds all ports or none. A port that cannot be bound is an <see cref="AdminBindException"/> that names it.</summary>
    public async Task StartAsync(CancellationToken cancellation = default)
    {
        var options = new KestrelServerOptions { AddServerHeader = false };
        var limits = options.Limits;
        limits.RequestHeadersTimeout = HeaderTimeout;
        limits.MaxRequestHeadersTotalSize = HeaderLimit;
        limits.MaxRequestLineSize = HeaderLimit;
        limits.MaxRequestBufferSize = HeaderLimit;
        limits.MaxRequestBodySize = 1 << 20;
        limits.KeepAliveTimeout = SilenceTimeout;
        limits.MaxConcurrentConnections = MaxConnectionsPerPort;
        foreach (var port in _ports)
        {
            foreach (var endPoint in port.Requested.Where(IsPossible))
                options.Listen(Bindable(endPoint), listener => Configure(listener, port));
        }

        _server = new KestrelServer(
            Options.Create(options), new SocketTransportFactory(Options.Create(new SocketTransportOptions { IOQueueCount = 0 }), _loggers), _loggers);
        try
        {
            await _server.StartAsync(new Application(this), cancellation);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw new AdminBindException(
                $"cannot serve {string.Join(", ", _ports.Select(p => $"{p.Name} on {string.Join(" and ", p.Requested)}"))}: {e.Message} Free the port or configure another one.", e);
        }

        foreach (var port in _ports)
        {
            foreach (var endPoint in port.EndPoints)
                Announce("listener established", port, endPoint);
        }
    }

    /// <summary>Closes the listeners at once and lets requests in flight finish until cancelled.</summary>
    public async Task StopAsync(CancellationToken cancellation = default)
    {
        if (_server is null)
            return;
        await _server.StopAsync(cancellation);
        foreach (var port in _ports)
        {
            foreach (var endPoint in port.EndPoints)
                Announce("listener drained", port, endPoint);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is null)
            return;
        using var atOnce = new CancellationTokenSource();
        await atOnce.CancelAsync();
        await _server.StopAsync(atOnce.Token);
        _server.Dispose();
    }

    private static void Configure(ListenOptions listener, AdminPort port)
    {
        listener.Protocols = HttpProtocols.Http1;
        // Requests find their port through their connection: two ports may share a number on different addresses.
        listener.Use(next => connection =>
        {
            connection.Features.Set(port);
            return next(connection);
        });
        port.Add(listener);
    }

    // A machine without IPv6 has no ::1; the IPv4 twin serves alone.
    private static bool IsPossible(IPEndPoint endPoint) =>
        endPoint.AddressFamily == AddressFamily.InterNetwork || endPoint.Address.Equals(IPAddress.IPv6Any) || Ipv6Loopback.IsThere;

    private static IPEndPoint Bindable(IPEndPoint endPoint) =>
        endPoint.Address.Equals(IPAddress.IPv6Any) && !Socket.OSSupportsIPv6 ? new IPEndPoint(IPAddress.Any, endPoint.Port) : endPoint;

    private void Announce(string message, AdminPort port, IPEndPoint endPoint) =>
        _log?.Event(LogSeverity.Info, message).Address("address", endPoint).Text("component", port.Name).Write();

    private async Task HandleAsync(HttpContext http)
    {
        var page = http.Features.Get<AdminPort>()?.Routes.Find(http.Request.Path.Value ?? "/");
        if (page is null)
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        try
        {
            await page(http);
        }
        catch (Exception e) when (!http.Response.HasStarted && !http.RequestAborted.IsCancellationRequested)
        {
            _log?.Event(LogSeverity.Warn, "page failed").Text("path", http.Request.Path.Value).Text("error", e.ToString()).Write();
            http.Response.Headers.Clear();
            await AdminReply.TextAsync(http, $"{http.Request.Path} failed: {e.Message}\n", StatusCodes.Status500InternalServerError);
        }
    }

    private sealed class Application(AdminServer server) : Microsoft.AspNetCore.Hosting.Server.IHttpApplication<HttpContext>
    {
        public HttpContext CreateContext(Microsoft.AspNetCore.Http.Features.IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

        public Task ProcessRequestAsync(HttpContext context) => server.HandleAsync(context);

        public void DisposeContext(HttpContext context, Exception? exception)
        {
            // A DefaultHttpContext owns nothing but its feature references.
        }
    }
}

/// <summary>A port that the process needs cannot be bound; ends with <see cref="ExitCodes.OsError"/>.</summary>
public sealed class AdminBindException(string message, Exception inner) : Exception(message, inner);
