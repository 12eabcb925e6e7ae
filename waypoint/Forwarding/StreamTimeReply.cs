using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Forwarding;

/// <summary>What a client is told when one of its stream's times is over, in Envoy's words.</summary>
internal static class StreamTimeReply
{
    public static Task WriteAsync(Exchange exchange, StreamWatch watch)
    {
        // What the client still sends would be taken for its next request.
        if (!watch.RequestIsComplete && HttpProtocol.IsHttp11(exchange.Http.Request.Protocol))
            exchange.Http.Response.Headers.Connection = "close";
        var (body, details, flag) = Of(watch.Elapsed);
        return LocalReply.WriteAsync(exchange, watch.RequestIsComplete ? StatusCodes.Status504GatewayTimeout : StatusCodes.Status408RequestTimeout, body, details, flag);
    }

    /// <summary>For the report, where a response is under way already.</summary>
    public static void Note(Exchange exchange, StreamWatch watch)
    {
        var (_, details, flag) = Of(watch.Elapsed);
        exchange.Flags |= flag;
        exchange.Details = details;
    }

    private static (string Body, string Details, ResponseFlags Flag) Of(StreamTime elapsed) => elapsed switch
    {
        StreamTime.Request => ("request timeout", "request_overall_timeout", ResponseFlags.None),
        StreamTime.Duration => ("downstream duration timeout", "max_duration_timeout", ResponseFlags.MaxStreamDurationReached),
        _ => ("stream timeout", "stream_idle_timeout", ResponseFlags.StreamIdleTimeout),
    };
}
