using System.Text;
using Mesh.Waypoint.Transport;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Mesh.Waypoint.Pipeline;

/// <summary>Kestrel, told to be a proxy: limits of reference 7.3, none of its defaults that would interfere with streaming.</summary>
internal sealed class WaypointServer : IDisposable
{
    private const int MaxHeaderBytes = 60 * 1024;
    private const int MaxHeaders = 100;

    // The waypoint's own default; Envoy's upstream and downstream idle timeout is an hour (reference 7.6).
    private static readonly TimeSpan IdleTimeout = TimeSpan.FromHours(1);

    private readonly KestrelServer _server;

    // A line ends with CR LF: who takes LF alone for an end may see two requests where another sees one.
    static WaypointServer() => AppContext.SetSwitch("Microsoft.AspNetCore.Server.Kestrel.DisableHttp1LineFeedTerminators", true);

    public WaypointServer(TunnelListenerFactory transport, ILoggerFactory loggers)
    {
        var options = new KestrelServerOptions
        {
            AddServerHeader = false,
            AllowSynchronousIO = false,
            AllowAlternateSchemes = true,

            // Absolute form: its authority is the one that counts (RFC 9112 3.2.2).
            AllowHostHeaderOverride = true,
            RequestHeaderEncodingSelector = _ => Encoding.Latin1,
            ResponseHeaderEncodingSelector = _ => Encoding.Latin1,
        };
        var limits = options.Limits;
        limits.MaxRequestBodySize = null;
        limits.MinRequestBodyDataRate = null;
        limits.MinResponseDataRate = null;
        limits.KeepAliveTimeout = IdleTimeout;
        limits.RequestHeadersTimeout = IdleTimeout;
        limits.MaxRequestHeadersTotalSize = MaxHeaderBytes;
        limits.MaxRequestHeaderCount = MaxHeaders;
        limits.MaxRequestLineSize = MaxHeaderBytes;
        limits.MaxRequestBufferSize = 1024 * 1024;
        limits.Http2.MaxStreamsPerConnection = 1024;
        limits.Http2.MaxRequestHeaderFieldSize = MaxHeaderBytes;
        limits.Http2.InitialStreamWindowSize = 1024 * 1024;
        limits.Http2.InitialConnectionWindowSize = 4 * 1024 * 1024;
        foreach (var protocol in (ReadOnlySpan<HttpProtocols>)[HttpProtocols.Http1, HttpProtocols.Http2])
        {
            var chosen = protocol;
            options.Listen(transport.EndPoint(chosen), listener =>
            {
                listener.Protocols = chosen;
                listener.Use(next => connection =>
                {
                    // Requests inherit the features of their connection; this makes the tunnel's facts one of them.
                    connection.Features.Set(connection.Features.Get<InboundConnection>());
                    return next(connection);
                });
            });
        }

        _server = new KestrelServer(Options.Create(options), transport, loggers);
    }

    public Task StartAsync(RequestPipeline pipeline, CancellationToken cancellation = default) => _server.StartAsync<HttpContext>(pipeline, cancellation);

    /// <summary>GOAWAY to HTTP/2, <c>connection: close</c> to HTTP/1; returns when every request has ended or at cancellation.</summary>
    public Task StopAsync(CancellationToken cancellation) => _server.StopAsync(cancellation);

    public void Dispose() => _server.Dispose();
}
