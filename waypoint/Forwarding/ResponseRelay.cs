using System.Buffers;
using System.Globalization;
using System.Net.Http.Headers;
using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Mesh.Waypoint.Forwarding;

/// <summary>Passes a response on: headers, body as it comes, trailers.</summary>
internal static class ResponseRelay
{
    private const int BufferSize = 64 * 1024;

    public static void CopyHeaders(Exchange exchange, HttpResponseMessage upstream, RouteTarget target, string? setCookie)
    {
        var response = exchange.Http.Response;
        response.StatusCode = (int)upstream.StatusCode;
        var nominated = HopByHop.Nominated(upstream.Headers.NonValidated);
        Copy(upstream.Headers.NonValidated, response.Headers, nominated);
        Copy(upstream.Content.Headers.NonValidated, response.Headers, nominated);
        response.Headers["x-envoy-upstream-service-time"] = (exchange.UpstreamServiceMilliseconds ?? 0).ToString(CultureInfo.InvariantCulture);
        if (setCookie is not null)
            response.Headers.SetCookie = StringValues.Concat(response.Headers.SetCookie, setCookie);

        var facts = exchange.FormatFacts(withResponse: true);
        target.ResponseHeaders?.Apply(response.Headers, facts);
        exchange.Route?.ResponseHeaders?.Apply(response.Headers, facts);
        exchange.Route?.Cors?.WriteActual(exchange.Facts, response.Headers);
        response.Headers.Server = LocalReply.ServerName;
    }

    /// <exception cref="IOException">The upstream's part broke.</exception>
    public static async Task CopyBodyAsync(Exchange exchange, HttpResponseMessage upstream, CancellationToken cancellation)
    {
        var response = exchange.Http.Response;
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            await using var body = await upstream.Content.ReadAsStreamAsync(cancellation);
            var first = true;
            while (true)
            {
                var reading = body.ReadAsync(buffer, cancellation);

                // Headers go out at once unless the end is known already: a gRPC answer without body has to stay one HEADERS frame.
                if (first && !reading.IsCompleted)
                    await response.BodyWriter.FlushAsync(cancellation);
                first = false;
                var count = await reading;
                if (count == 0)
                    break;
                exchange.BytesSent += count;
                await response.BodyWriter.WriteAsync(buffer.AsMemory(0, count), cancellation);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        CopyTrailers(exchange, upstream);
    }

    /// <summary>The gRPC status in the headers of an answer without body; null where there is none.</summary>
    public static int? GrpcStatusInHeaders(HttpResponseMessage upstream) =>
        upstream.Headers.NonValidated.TryGetValues("grpc-status", out var values) && int.TryParse(values.ToString(), CultureInfo.InvariantCulture, out var status)
            ? status
            : null;

    private static void CopyTrailers(Exchange exchange, HttpResponseMessage upstream)
    {
        var trailers = exchange.Http.Features.Get<IHttpResponseTrailersFeature>()?.Trailers;
        foreach (var (name, values) in upstream.TrailingHeaders.NonValidated)
        {
            if (name.Equals("grpc-status", StringComparison.OrdinalIgnoreCase) && int.TryParse(values.ToString(), CultureInfo.InvariantCulture, out var status))
                exchange.GrpcStatus = status;

            // HTTP/1.1 clients get none, as from Envoy with its default settings.
            if (trailers is { IsReadOnly: false })
                trailers[name] = ToStringValues(values);
        }
    }

    private static void Copy(HttpHeadersNonValidated from, IHeaderDictionary to, IReadOnlyCollection<string> nominated)
    {
        foreach (var (name, values) in from)
        {
            if (HopByHop.Is(name) || (nominated.Count > 0 && nominated.Contains(name, StringComparer.OrdinalIgnoreCase)))
                continue;
            to.Append(name, ToStringValues(values));
        }
    }

    private static StringValues ToStringValues(HeaderStringValues values) => values.Count == 1 ? new StringValues(values.ToString()) : new StringValues([.. values]);
}
