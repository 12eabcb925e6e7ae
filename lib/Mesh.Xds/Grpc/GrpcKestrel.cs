using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mesh.Xds.Grpc;

/// <summary>Kestrel limits that fit long-lived discovery streams.</summary>
public static class GrpcKestrel
{
    /// <summary>PING every 30 s, 10 s to answer; no data-rate minimum, because an idle stream is the normal case.</summary>
    public static void Configure(KestrelServerOptions options)
    {
        options.AddServerHeader = false;
        var limits = options.Limits;
        limits.MinRequestBodyDataRate = null;
        limits.MinResponseDataRate = null;
        limits.MaxRequestBodySize = null;
        limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(10);
        // A client opens one discovery stream and a handful of certificate calls; a node agent at start asks for many certificates at once.
        limits.Http2.MaxStreamsPerConnection = 1000;
        limits.Http2.InitialConnectionWindowSize = 1 << 20;
        limits.Http2.InitialStreamWindowSize = 512 * 1024;
    }
}
