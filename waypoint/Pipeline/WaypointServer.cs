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
    private readonly KestrelServer _server;

    // A line ends with CR LF: who takes LF alone for an end may see two requests where another sees one.
    static WaypointServer() => AppContext.SetSwitch("Microsoft.AspNetCore.Server.Kestrel.DisableHttp1LineFeedTerminators", true);

    public WaypointServer(TunnelListenerFactory transport, WaypointLimits wanted, ILoggerFactory loggers)
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
        limits.KeepAliveTimeout = OrNever(wanted.IdleTimeout);
        limits.RequestHeadersTimeout = OrNever(wanted.RequestHeadersTimeout);
        limits.MaxRequestHeadersTotalSize = wanted.MaxRequestHeaderBytes;
        limits.MaxRequestHeaderCount = wanted.MaxRequestHeaders;
        limits.MaxRequestLineSize = wanted.MaxRequestHeaderBytes;
        limits.MaxRequestBufferSize = Math.Max(wanted.ConnectionBuffer, wanted.MaxRequestHeaderBytes);
        limits.Http2.MaxStreamsPerConnection = wanted.MaxConcurrentStreams;
        limits.Http2.MaxRequestHeaderFieldSize = wanted.MaxRequestHeaderBytes;
        limits.Http2.InitialStreamWindowSize = wanted.StreamWindow;
        limits.Http2.InitialConnectionWindowSize = Math.Max(wanted.ConnectionWindow, wanted.StreamWindow);
        foreach (var protocol in (ReadOnlySpan<HttpProtocols>)[HttpProtocols.Http1, HttpProtocols.Http2])
        {
            var chosen = protocol;
            options.Listen(transport.EndPoint(chosen), listener =>
            {
                listener.Protocols = chosen;
                listener.Use(next => connection =>
                {
                    // Requests inherit the features of their connection; this makes the tunnel's facts one of them.
                    var inbound = connection.Features.Get<InboundConnection>();
                    connection.Features.Set(inbound);

                    // Kestrel begins on the thread pool; what begins on the loop stays there, from request to request.
                    return inbound?.Loop is { InLoop: false } loop ? loop.InvokeAsync(() => next(connection)) : next(connection);
                });
            });
        }

        _server = new KestrelServer(Options.Create(options), transport, loggers);
    }

    public Task StartAsync(RequestPipeline pipeline, CancellationToken cancellation = default) => _server.StartAsync<WaypointContext>(pipeline, cancellation);

    /// <summary>GOAWAY to HTTP/2, <c>connection: close</c> to HTTP/1; returns when every request has ended or at cancellation.</summary>
    public Task StopAsync(CancellationToken cancellation) => _server.StopAsync(cancellation);

    public void Dispose() => _server.Dispose();

    // Kestrel adds an infinite time to its clock and takes the overflow for a time that is over: 408 at its next tick.
    private static TimeSpan OrNever(TimeSpan limit) => limit > TimeSpan.Zero ? limit : TimeSpan.FromDays(1);
}
