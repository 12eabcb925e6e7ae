using System.Buffers;
using System.Globalization;
using Mesh.Waypoint.Http1;
using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Mesh.Waypoint.Forwarding;

/// <summary>Passes a response on: headers, body as it comes, trailers.</summary>
internal static class ResponseRelay
{
    // More than this waits for the client before more is read from the application.
    private const int FlushThreshold = 64 * 1024;

    public static void CopyHeaders(Exchange exchange, UpstreamCall upstream, RouteTarget target, string? setCookie, bool isUpgrade)
    {
        var response = exchange.Http.Response;
        response.StatusCode = upstream.Status;
        if (upstream.Reason.Length > 0 && exchange.Http.Features.Get<IHttpResponseFeature>() is { } feature)
            feature.ReasonPhrase = upstream.Reason;
        var nominated = HopByHop.Nominated(upstream.Fields);
        foreach (var field in upstream.Fields.Items)
        {
            if (HopByHop.Is(field.Name) || (nominated.Count > 0 && nominated.Contains(field.Name, StringComparer.OrdinalIgnoreCase)))
                continue;
            response.Headers[field.Name] = response.Headers.TryGetValue(field.Name, out var before) ? StringValues.Concat(before, field.Value) : field.Value;
        }

        // Whether the client goes on in the other protocol already cannot be known: nothing more is read as HTTP.
        if (isUpgrade && upstream.Status != StatusCodes.Status101SwitchingProtocols)
            response.Headers.Connection = "close";
        if (!isUpgrade)
            response.Headers["x-envoy-upstream-service-time"] = (exchange.UpstreamServiceMilliseconds ?? 0).ToString(CultureInfo.InvariantCulture);
        if (setCookie is not null)
            response.Headers.SetCookie = StringValues.Concat(response.Headers.SetCookie, setCookie);
        if (target.ResponseHeaders is not null || exchange.Route?.ResponseHeaders is not null)
        {
            var facts = exchange.FormatFacts(withResponse: true);
            target.ResponseHeaders?.Apply(response.Headers, facts);
            exchange.Route?.ResponseHeaders?.Apply(response.Headers, facts);
        }

        exchange.Route?.Cors?.WriteActual(exchange.Facts, response.Headers);
        response.Headers.Server = LocalReply.ServerName;
    }

    /// <exception cref="IOException">The upstream's part broke.</exception>
    /// <exception cref="ClientLeftException">The client's part broke.</exception>
    public static async Task CopyBodyAsync(Exchange exchange, UpstreamCall upstream, CancellationToken cancellation)
    {
        var output = exchange.Http.Response.BodyWriter;
        var unflushed = 0L;
        var isFirst = true;
        while (true)
        {
            // What is there already goes out together; a pause of the application's is a flush. Headers alone go out too, unless the end is known:
            // a gRPC answer without body has to stay one HEADERS frame.
            var reading = Read(upstream);
            if ((!reading.IsCompleted && (unflushed > 0 || isFirst)) || unflushed >= FlushThreshold)
            {
                await FlushAsync(exchange, cancellation);
                unflushed = 0;
            }

            ReadOnlySequence<byte> piece;
            try
            {
                piece = await reading;
            }
            catch (IOException) when (unflushed > 0 || isFirst)
            {
                // What came is the client's, however the rest ends.
                await FlushAsync(exchange, cancellation);
                throw;
            }

            isFirst = false;
            exchange.Watch?.Touch();
            if (piece.IsEmpty)
                break;
            foreach (var segment in piece)
                Write(output, segment.Span);
            unflushed += piece.Length;
            exchange.BytesSent += piece.Length;
        }

        // Where headers went out before, the end of a response of known length makes no flush of its own.
        if (unflushed > 0 && exchange.Http.Response.HasStarted)
            await FlushAsync(exchange, cancellation);
        CopyTrailers(exchange, upstream);
    }

    // What fails at once fails where it is awaited.
    private static ValueTask<ReadOnlySequence<byte>> Read(UpstreamCall upstream)
    {
        try
        {
            return upstream.ReadBodyAsync();
        }
        catch (IOException e)
        {
            return ValueTask.FromException<ReadOnlySequence<byte>>(e);
        }
    }

    // Kestrel's writer may offer an empty span where it is not asked for a size.
    private static void Write(System.IO.Pipelines.PipeWriter output, ReadOnlySpan<byte> data)
    {
        const int BlockSize = 4096;
        while (data.Length > 0)
        {
            var span = output.GetSpan(Math.Min(data.Length, BlockSize));
            var count = Math.Min(span.Length, data.Length);
            data[..count].CopyTo(span);
            output.Advance(count);
            data = data[count..];
        }
    }

    // Kestrel takes what is written for a client that has left, and fails the flush before it says that the request is aborted: neither may look
    // like the application's failure.
    private static async ValueTask FlushAsync(Exchange exchange, CancellationToken cancellation)
    {
        if (exchange.HasClientLeft)
            throw new ClientLeftException();
        System.IO.Pipelines.FlushResult flushed;
        try
        {
            flushed = await exchange.Http.Response.BodyWriter.FlushAsync(cancellation);
        }
        catch (Exception e) when (e is IOException || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            throw new ClientLeftException(e);
        }

        if (flushed.IsCanceled || flushed.IsCompleted)
            throw new ClientLeftException();
    }

    private static void CopyTrailers(Exchange exchange, UpstreamCall upstream)
    {
        if (upstream.Trailers.Count == 0)
            return;
        var trailers = exchange.Http.Features.Get<IHttpResponseTrailersFeature>()?.Trailers;
        foreach (var field in upstream.Trailers.Items)
        {
            if (field.Name.Equals("grpc-status", StringComparison.OrdinalIgnoreCase) && int.TryParse(field.Value, CultureInfo.InvariantCulture, out var status))
                exchange.GrpcStatus = status;

            // HTTP/1.1 clients get none, as from Envoy with its default settings.
            if (trailers is { IsReadOnly: false })
                trailers.Append(field.Name, field.Value);
        }
    }
}

/// <summary>The client takes no more of the response.</summary>
internal sealed class ClientLeftException(Exception? inner = null) : Exception("the client takes no more of the response", inner);
