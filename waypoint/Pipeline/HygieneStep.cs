using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mesh.Waypoint.Pipeline;

/// <summary>Takes the request's facts from what was sent, refuses what cannot be understood in one way only, and cleans the headers.</summary>
internal sealed class HygieneStep(PathNormalization normalization)
{
    public Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        var exchange = Exchange.Of(http);
        var request = http.Request;
        var target = http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var caller = exchange.Connection.Caller;

        // 1. The target: origin form, absolute form (its authority wins over Host), or the asterisk.
        var authority = request.Host.Value ?? string.Empty;
        var isAbsolute = target.Length > 0 && target[0] != '/' && target.Contains("://", StringComparison.Ordinal);
        if (isAbsolute)
            (authority, target) = SplitAbsolute(target);
        exchange.OriginalPath = target;
        var withoutFragment = target.IndexOf('#', StringComparison.Ordinal) is >= 0 and var fragment ? target[..fragment] : target;
        var question = withoutFragment.IndexOf('?', StringComparison.Ordinal);
        var path = question < 0 ? withoutFragment : withoutFragment[..question];
        var normalized = PathNormalizer.Normalize(path, normalization);

        // The client's word on the scheme counts for matching as it does in Envoy, then Kestrel's.
        var scheme = request.Headers.TryGetValue("x-forwarded-proto", out var forwarded) && forwarded.Count == 1 && forwarded[0] is "http" or "https"
            ? forwarded[0]!
            : "http";
        exchange.Facts = new RequestFacts
        {
            Method = request.Method,
            Scheme = scheme,
            Authority = authority,
            Path = normalized ?? path,
            Query = question < 0 ? string.Empty : withoutFragment[(question + 1)..],
            HasQuery = question >= 0,
            Headers = request.Headers,
            Caller = caller,
        };

        // 2. What has no meaning here.
        if (HttpProtocol.IsHttp10(request.Protocol))
            return RefuseAsync(exchange, StatusCodes.Status426UpgradeRequired, "Upgrade Required", "low_version");
        if (authority.Length == 0)
            return RefuseAsync(exchange, StatusCodes.Status400BadRequest, string.Empty, "missing_host_header");
        if (HttpProtocol.IsHttp2(request.Protocol) && HopByHop.NamesConnection(request.Headers))
            return Malformed(exchange);
        if (request.Headers.TransferEncoding is { Count: > 0 } coding && !coding.ToString().Equals("chunked", StringComparison.OrdinalIgnoreCase))
            return RefuseAsync(exchange, StatusCodes.Status501NotImplemented, "Not Implemented", "http1.invalid_transfer_encoding", ResponseFlags.DownstreamProtocolError);
        if (request.Method.AsSpan().IndexOfAnyInRange('a', 'z') >= 0)
            return RefuseAsync(exchange, StatusCodes.Status400BadRequest, "Bad Request", "invalid_method");
        if (HasTwoLengths(request))
            return RefuseAsync(exchange, StatusCodes.Status400BadRequest, "Bad Request", "http1.content_length_and_chunked_not_allowed");
        if (HopByHop.NamesTooMuch(request.Headers))
            return RefuseAsync(exchange, StatusCodes.Status400BadRequest, "Bad Request", "http1.connection_header_rejected");
        if (HopByHop.NamesHost(request.Headers))
            return RefuseAsync(exchange, StatusCodes.Status400BadRequest, string.Empty, "missing_host_header");
        if (HttpMethods.IsConnect(request.Method))
            return RefuseAsync(exchange, StatusCodes.Status404NotFound, string.Empty, "route_not_found", ResponseFlags.NoRouteFound);
        if (path == "*")
            return RefuseAsync(exchange, StatusCodes.Status404NotFound, string.Empty, "absolute_path_rejected");
        if (normalized is null)
            return RefuseAsync(exchange, StatusCodes.Status400BadRequest, string.Empty, "path_normalization_failed");

        // 3. Headers.
        HeaderHygiene.Sanitize(request.Headers, scheme, RequestIds.Next);
        return next(http);
    }

    // Kestrel lets Transfer-Encoding win and renames the Content-Length that came with it; two proxies that choose differently are a smuggling hole.
    private static bool HasTwoLengths(HttpRequest request) =>
        HttpProtocol.IsHttp11(request.Protocol) && request.Headers.TransferEncoding.Count > 0 && (request.Headers.ContentLength is not null || request.Headers.ContainsKey("X-Content-Length"));

    private static Task RefuseAsync(Exchange exchange, int status, string body, string details, ResponseFlags flags = ResponseFlags.None)
    {
        if (!HttpProtocol.IsHttp2(exchange.Http.Request.Protocol) && details != "absolute_path_rejected")
            exchange.Http.Response.Headers.Connection = "close";
        return LocalReply.WriteAsync(exchange, status, body, details, flags);
    }

    // RFC 9113 8.1.1.
    private static Task Malformed(Exchange exchange)
    {
        const int ProtocolError = 1;
        exchange.Flags |= ResponseFlags.DownstreamProtocolError;
        exchange.Details = "http2.violation.of.messaging.rule";
        exchange.Http.Features.GetRequiredFeature<IHttpResetFeature>().Reset(ProtocolError);
        return Task.CompletedTask;
    }

    private static (string Authority, string Target) SplitAbsolute(string target)
    {
        var start = target.IndexOf("://", StringComparison.Ordinal) + 3;
        var end = target.AsSpan(start).IndexOfAny('/', '?');
        return end < 0 ? (target[start..], "/") : (target.Substring(start, end), target[start + end] == '/' ? target[(start + end)..] : "/" + target[(start + end)..]);
    }
}
