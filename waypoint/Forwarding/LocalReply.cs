using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mesh.Waypoint.Forwarding;

/// <summary>Answers that the waypoint gives itself; to a gRPC client as a gRPC status (reference 7.9, 7.11).</summary>
internal static class LocalReply
{
    public const string ServerName = "istio-envoy";

    public static Task WriteAsync(Exchange exchange, int status, string body, string details, ResponseFlags flags = ResponseFlags.None) =>
        WriteAsync(exchange, status, Encoding.UTF8.GetBytes(body), details, flags);

    public static async Task WriteAsync(Exchange exchange, int status, byte[] body, string details, ResponseFlags flags = ResponseFlags.None, bool asGrpc = true, int? grpcStatus = null)
    {
        exchange.Flags |= flags;
        exchange.Details = details;
        var response = exchange.Http.Response;
        if (response.HasStarted)
        {
            exchange.Http.Abort();
            return;
        }

        response.Headers.Server = ServerName;
        if (exchange.Facts is { IsGrpc: true } && asGrpc)
        {
            var code = grpcStatus ?? GrpcStatus.FromHttp(status);
            exchange.GrpcStatus = code;
            response.StatusCode = 200;
            response.Headers.ContentType = "application/grpc";
            response.Headers["grpc-status"] = code.ToString(CultureInfo.InvariantCulture);
            if (body.Length > 0)
                response.Headers["grpc-message"] = GrpcStatus.EncodeMessage(Encoding.UTF8.GetString(body));
            ApplyResponseHeaders(exchange);
            return;
        }

        response.StatusCode = status;
        if (body.Length > 0)
        {
            response.ContentLength = body.Length;
            response.ContentType ??= "text/plain";
        }
        else if (status is >= 200 and not (204 or 304))
        {
            response.ContentLength = 0;
        }

        CloseIfRequestIsUnread(exchange);
        ApplyResponseHeaders(exchange);
        if (body.Length > 0 && !HttpMethods.IsHead(exchange.Http.Request.Method))
        {
            exchange.BytesSent = body.Length;
            await response.BodyWriter.WriteAsync(body, exchange.Http.RequestAborted);
        }
    }

    /// <summary>Header operations of the route apply to answers made here too (reference 1.12).</summary>
    private static void ApplyResponseHeaders(Exchange exchange)
    {
        if (exchange.Route is { } route)
        {
            route.ResponseHeaders?.Apply(exchange.Http.Response.Headers, exchange.FormatFacts(withResponse: true));
            exchange.Http.Response.Headers.Server = ServerName;
        }
    }

    // What is left of the body would have to be read before the next request: HTTP/1 connections are closed instead.
    private static void CloseIfRequestIsUnread(Exchange exchange)
    {
        var request = exchange.Http.Request;
        var hasBody = exchange.Http.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody == true;
        if (hasBody && HttpProtocol.IsHttp11(request.Protocol) && exchange.BytesReceived == 0)
            exchange.Http.Response.Headers.Connection = "close";
    }
}
