using System.Globalization;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Mesh.Xds.Grpc;

/// <summary>Settings of one served method.</summary>
public sealed record GrpcServerOptions
{
    public int MaxReceiveMessageSize { get; init; } = GrpcFrameDecoder.DefaultMaxMessageSize;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Fires when the process drains; open calls then end with Unavailable so that clients go elsewhere.</summary>
    public CancellationToken Stopping { get; init; }

    /// <summary>Told of handlers that failed with anything but a <see cref="GrpcException"/>; the client sees only "internal error".</summary>
    public Action<GrpcServerCall, Exception>? UnexpectedFailure { get; init; }
}

/// <summary>Serves gRPC methods on Kestrel endpoints.</summary>
/// <remarks>(1) check the request line  (2) deadline  (3) handler  (4) status: in trailers, or alone in the headers when nothing was sent yet.</remarks>
public static class GrpcEndpoints
{
    /// <summary>One request, one response.</summary>
    public static IEndpointConventionBuilder MapGrpcUnary<TRequest, TResponse>(
        this IEndpointRouteBuilder endpoints, GrpcMethod<TRequest, TResponse> method, Func<TRequest, GrpcServerCall, Task<TResponse>> handler, GrpcServerOptions? options = null)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        endpoints.MapGrpcDuplex(
            method,
            async stream =>
            {
                var request = await stream.ReadAsync() ?? throw new GrpcException(GrpcStatusCode.InvalidArgument, $"{method.FullName} needs one request message, none was sent");
                await stream.WriteAsync(await handler(request, stream));
            },
            options);

    /// <summary>Messages in both directions; the call ends with OK when the handler returns.</summary>
    public static IEndpointConventionBuilder MapGrpcDuplex<TRequest, TResponse>(
        this IEndpointRouteBuilder endpoints, GrpcMethod<TRequest, TResponse> method, Func<GrpcServerStream<TRequest, TResponse>, Task> handler, GrpcServerOptions? options = null)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        var settings = options ?? new GrpcServerOptions();
        return endpoints.Map(method.Path, http => ServeAsync(http, method, handler, settings));
    }

    private static async Task ServeAsync<TRequest, TResponse>(
        HttpContext http, GrpcMethod<TRequest, TResponse> method, Func<GrpcServerStream<TRequest, TResponse>, Task> handler, GrpcServerOptions options)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        // (1)
        if (!Acceptable(http))
            return;
        Prepare(http);

        // (2)
        using var deadline = GrpcTimeout.TryParse(http.Request.Headers["grpc-timeout"], out var timeout) ? new CancellationTokenSource(timeout, options.Time) : null;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, deadline?.Token ?? CancellationToken.None, options.Stopping);
        var stream = new GrpcServerStream<TRequest, TResponse>(http, method, options.MaxReceiveMessageSize, ended.Token);

        // (3)
        GrpcStatus status;
        try
        {
            status = http.Request.Headers["grpc-encoding"] is { Count: > 0 } encoding && encoding[0] is not (null or "identity")
                ? new GrpcStatus(GrpcStatusCode.Unimplemented, $"grpc-encoding '{encoding[0]}' is not supported; identity is")
                : await RunAsync(handler, stream);
        }
        catch (Exception) when (http.RequestAborted.IsCancellationRequested)
        {
            return; // nobody is there to be told
        }
        catch (GrpcException e)
        {
            status = e.Status;
            foreach (var trailer in e.Trailers)
                stream.Trailers.Add(trailer.Key, trailer.Value);
        }
        catch (Exception) when (deadline is { IsCancellationRequested: true })
        {
            status = new GrpcStatus(GrpcStatusCode.DeadlineExceeded, $"{method.FullName} did not finish within {timeout}");
        }
        catch (OperationCanceledException) when (options.Stopping.IsCancellationRequested)
        {
            status = new GrpcStatus(GrpcStatusCode.Unavailable, "the server is stopping");
        }
        catch (Exception e)
        {
            options.UnexpectedFailure?.Invoke(stream, e);
            status = new GrpcStatus(GrpcStatusCode.Internal, "internal error");
        }
        finally
        {
            // A handler that ended while one of its reads was still waiting must not leave that read behind.
            await ended.CancelAsync();
            stream.Release();
        }

        // (4)
        await EndAsync(http, status, stream.Trailers);
    }

    private static async Task<GrpcStatus> RunAsync<TRequest, TResponse>(Func<GrpcServerStream<TRequest, TResponse>, Task> handler, GrpcServerStream<TRequest, TResponse> stream)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        await handler(stream);
        return GrpcStatus.Ok;
    }

    private static bool Acceptable(HttpContext http)
    {
        var request = http.Request;
        http.Response.StatusCode =
            !HttpMethods.IsPost(request.Method) ? StatusCodes.Status405MethodNotAllowed
            : !HttpProtocol.IsHttp2(request.Protocol) ? StatusCodes.Status426UpgradeRequired
            : request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) != true ? StatusCodes.Status415UnsupportedMediaType
            : StatusCodes.Status200OK;
        return http.Response.StatusCode == StatusCodes.Status200OK;
    }

    private static void Prepare(HttpContext http)
    {
        // Streams stay open for hours with nothing to say, and the message limit replaces the body limit.
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = null;
        if (http.Features.Get<Microsoft.AspNetCore.Server.Kestrel.Core.Features.IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = null;
        http.Response.ContentType = "application/grpc";
        http.Response.Headers["grpc-accept-encoding"] = "identity";
    }

    private static async Task EndAsync(HttpContext http, GrpcStatus status, GrpcMetadata trailers)
    {
        var inHeaders = !http.Response.HasStarted;
        Append(http, inHeaders, "grpc-status", ((int)status.Code).ToString(CultureInfo.InvariantCulture));
        if (status.Detail.Length > 0)
            Append(http, inHeaders, "grpc-message", GrpcPercentEncoding.Encode(status.Detail));
        foreach (var trailer in trailers)
            Append(http, inHeaders, trailer.Key, trailer.Value);
        await http.Response.CompleteAsync();
    }

    private static void Append(HttpContext http, bool inHeaders, string key, string value)
    {
        if (inHeaders)
            http.Response.Headers.Append(key, value);
        else
            http.Response.AppendTrailer(key, value);
    }
}
