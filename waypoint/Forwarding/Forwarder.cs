using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Http1;
using Mesh.Waypoint.Resilience;
using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mesh.Waypoint.Forwarding;

/// <summary>
/// The story of a forwarded request:
/// 1. one of the route's clusters is drawn by weight; tries stay in it;
/// 2. the headers of the destination, then of the route, and the rewrite are applied;
/// 3. try after try an endpoint is chosen, and the ending of each decides whether another follows;
/// 4. the last response is relayed, or the waypoint answers itself.
/// </summary>
internal sealed class Forwarder(IUpstreamDialer dialer, WaypointLimits limits, TimeProvider time, Random random, MirrorSender mirrors)
{
    public Task ForwardAsync(Exchange exchange, ForwardAction action)
    {
        // 1.
        if (action.Targets.IsEmpty)
        {
            return LocalReply.WriteAsync(exchange, StatusCodes.Status503ServiceUnavailable, string.Empty, "cluster_not_found", ResponseFlags.NoClusterFound);
        }

        var target = action.Targets.Pick(random);
        exchange.Cluster = target.Cluster;
        if (target.Cluster.View is not { } view)
        {
            var status = target.IsInvalid ? StatusCodes.Status500InternalServerError : StatusCodes.Status503ServiceUnavailable;
            return LocalReply.WriteAsync(exchange, status, string.Empty, "cluster_not_found", ResponseFlags.NoClusterFound);
        }

        // 2.
        if (!UpgradeRule.TryRead(exchange, out var upgrade))
        {
            exchange.Http.Response.Headers.Connection = "close";
            return LocalReply.WriteAsync(exchange, StatusCodes.Status403Forbidden, string.Empty, "upgrade_failed");
        }

        string? setCookie = null;
        var hash = view.Model.Hash?.Hash(exchange.Facts, random, out setCookie);
        var request = Prepare(exchange, action, target, upgrade);
        return RunAsync(exchange, action, target, request, hash, setCookie);
    }

    private async Task RunAsync(Exchange exchange, ForwardAction action, RouteTarget target, UpstreamRequest request, ulong? hash, string? setCookie)
    {
        var http = exchange.Http;
        var timeout = EffectiveTimeout(exchange, action);
        using var watch = StreamWatch.Start(limits, time);
        exchange.Watch = watch;
        using var deadline = new RequestDeadline(timeout, time, http.RequestAborted, watch?.Token ?? CancellationToken.None);
        var hasBody = request.Upgrade is null && HasBody(http);
        using var body = new ReplayableBody(http.Request.BodyReader, hasBody, action.Retry.Attempts > 0 || action.Mirrors.Count > 0, limits.ConnectionBuffer)
        {
            Watch = watch,
            TrailersOf = http.Features.Get<IHttpRequestTrailersFeature>(),
        };
        if (hasBody)
        {
            body.OnCompleted(() =>
            {
                deadline.Start();
                watch?.RequestCompleted();
                mirrors.Send(exchange, action, request, body);
            });
        }
        else
        {
            deadline.Start();
            watch?.RequestCompleted();
        }

        var attempts = new AttemptSeries(exchange, target.Cluster, action.Retry, dialer, new InterimRelay(exchange), time, random) { Hash = hash };
        try
        {
            // 3.
            var running = attempts.RunAsync(request, body, deadline);
            if (!hasBody)
                mirrors.Send(exchange, action, request, body);
            var result = await running;
            exchange.BytesReceived = body.BytesReceived;

            // 4.
            if (result.Response is { } response)
                await RelayAsync(exchange, target, response, deadline, setCookie, request.Upgrade is not null);
            else if (watch is { Elapsed: not StreamTime.None })
                await StreamTimeReply.WriteAsync(exchange, watch);
            else if (deadline.HasElapsed)
                await LocalReply.WriteAsync(exchange, StatusCodes.Status504GatewayTimeout, "upstream request timeout", "response_timeout", ResponseFlags.UpstreamRequestTimeout);
            else if (exchange.HasClientLeft)
                ClientLeft(exchange);
            else if (result.Failure is { } failure)
                await ReplyToFailureAsync(exchange, failure, result.WasRetried);
            else if (attempts.IsClientsFault)
                await RefuseBrokenAsync(exchange);
            else
                await LocalReply.WriteAsync(exchange, StatusCodes.Status503ServiceUnavailable, "no healthy upstream", "no_healthy_upstream", ResponseFlags.NoHealthyUpstream);
        }
        finally
        {
            body.Leave();
            await attempts.EndAsync();
            exchange.BytesReceived = body.BytesReceived;
        }
    }

    private async Task RelayAsync(Exchange exchange, RouteTarget target, UpstreamCall response, RequestDeadline deadline, string? setCookie, bool isUpgrade)
    {
        exchange.UpstreamServiceMilliseconds = (long)time.GetElapsedTime(exchange.StartedAt).TotalMilliseconds;
        exchange.Details = "via_upstream";
        exchange.GrpcStatus = response.GrpcStatusInHeaders();
        try
        {
            if (response.Status == StatusCodes.Status101SwitchingProtocols)
            {
                ResponseRelay.CopyHeaders(exchange, response, target, setCookie, isUpgrade);
                await UpgradeTunnel.RunAsync(exchange, response, deadline);
                return;
            }

            ResponseRelay.CopyHeaders(exchange, response, target, setCookie, isUpgrade);
            await ResponseRelay.CopyBodyAsync(exchange, response, deadline.Token);
            if (response.Trailers.Count > 0)
                exchange.NotePushback(exchange.Endpoint!, Pushback.Asked(response.Status, exchange.GrpcStatus, response.Trailers, time.GetUtcNow()));
        }
        catch (Exception e) when (e is IOException or HttpRequestException or OperationCanceledException or InvalidOperationException or ClientFaultException or ClientLeftException)
        {
            CutResponse(exchange, deadline, e);
        }
    }

    // Headers may be out already: the client learns by the stream's end that the response is not complete.
    private static void CutResponse(Exchange exchange, RequestDeadline deadline, Exception error)
    {
        if (exchange.HasClientLeft || error is ClientLeftException)
        {
            ClientLeft(exchange);
            return;
        }

        if (exchange.Watch is { Elapsed: not StreamTime.None } watch)
        {
            StreamTimeReply.Note(exchange, watch);
        }
        else if (deadline.HasElapsed)
        {
            exchange.Flags |= ResponseFlags.UpstreamRequestTimeout;
            exchange.Details = "response_timeout";
            exchange.Cluster?.Report(exchange.Endpoint!, EndpointResult.TimedOut);
        }
        else if (error is ClientFaultException)
        {
            exchange.Flags |= ResponseFlags.DownstreamProtocolError;
            exchange.Details = "http1.codec_error";
        }
        else
        {
            var failure = AttemptFailure.Classify(error, isSafeToRepeat: false);
            exchange.Flags |= failure.Flag;
            exchange.Details = $"upstream_reset_after_response_started{{{failure.Reason.Replace(' ', '_')}}}";
            exchange.Cluster?.Report(exchange.Endpoint!, EndpointResult.Broken);
        }

        if (HttpProtocol.IsHttp11(exchange.Http.Request.Protocol))
        {
            // What came is the client's: the connection ends in order, short of what the head has promised.
            exchange.Connection.IsCut = true;
            exchange.Http.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
        }

        exchange.Http.Abort();
    }

    private static Task RefuseBrokenAsync(Exchange exchange)
    {
        if (HttpProtocol.IsHttp11(exchange.Http.Request.Protocol))
            exchange.Http.Response.Headers.Connection = "close";
        return LocalReply.WriteAsync(exchange, StatusCodes.Status400BadRequest, "Bad Request", "http1.codec_error", ResponseFlags.DownstreamProtocolError);
    }

    private static void ClientLeft(Exchange exchange)
    {
        exchange.Flags |= ResponseFlags.DownstreamConnectionTermination;
        exchange.Details = "downstream_remote_disconnect";
    }

    private static Task ReplyToFailureAsync(Exchange exchange, AttemptFailure failure, bool retried)
    {
        if (failure.Ending == AttemptEnding.Overflow)
            exchange.Http.Response.Headers["x-envoy-overloaded"] = "true";
        var flags = failure.Flag | (retried ? ResponseFlags.RetryLimitExceeded : ResponseFlags.None);
        exchange.UpstreamFailure = failure.Transport;
        if (failure.Ending == AttemptEnding.PerTryTimeout)
            return LocalReply.WriteAsync(exchange, failure.Status, "upstream request timeout", failure.Reason, flags);
        var detail = failure.Reason.Replace(' ', '_') + (failure.Transport is null ? string.Empty : "|" + failure.Transport);
        return LocalReply.WriteAsync(
            exchange,
            failure.Status,
            $"upstream connect error or disconnect/reset before headers. {(retried ? "retried and the latest " : string.Empty)}reset reason: {failure.Reason}",
            $"upstream_reset_before_response_started{{{detail}}}",
            flags);
    }

    private static UpstreamRequest Prepare(Exchange exchange, ForwardAction action, RouteTarget target, string? upgrade)
    {
        var http = exchange.Http;
        var headers = http.Request.Headers;
        HopByHop.StripRequest(headers);
        if (target.RequestHeaders is not null || exchange.Route?.RequestHeaders is not null)
        {
            var facts = exchange.FormatFacts(withResponse: false);
            target.RequestHeaders?.Apply(headers, facts);
            exchange.Route?.RequestHeaders?.Apply(headers, facts);
        }

        // rewrite.authority before a set Host; a destination's host counts only where there is one destination (reference 1.6).
        var authority = action.Rewrite?.Authority ?? exchange.Route?.RequestHeaders?.Host ?? (action.Targets.Items.Count == 1 ? target.RequestHeaders?.Host : null);
        if (authority is not null && authority != exchange.Facts.Authority)
            headers["x-envoy-original-host"] = exchange.Facts.Authority;
        var path = action.Rewrite?.Path(exchange.Facts.Path, exchange.Match!) ?? exchange.Facts.Path;
        if (action.Rewrite is { ChangesPath: true })
            headers["x-envoy-original-path"] = exchange.OriginalPath;
        var query = exchange.Facts.HasQuery ? "?" + exchange.Facts.Query : string.Empty;
        return new UpstreamRequest(http.Request, authority ?? exchange.Facts.Authority, query.Length == 0 ? path : path + query, upgrade is null && HasBody(http)) { Upgrade = upgrade };
    }

    // An empty one carries trailers.
    private static bool HasBody(HttpContext http) =>
        http.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody == true
        || http.Features.Get<IHttpRequestTrailersFeature>() is { Available: true, Trailers.Count: > 0 };

    /// <summary>For gRPC the smaller of the client's grpc-timeout and the route's; the client's alone counts too (recorded).</summary>
    private static TimeSpan? EffectiveTimeout(Exchange exchange, ForwardAction action)
    {
        if (!exchange.Facts.IsGrpc)
            return action.Timeout;
        var headers = exchange.Http.Request.Headers;
        var client = GrpcStatus.ParseTimeout(headers["grpc-timeout"]);
        var effective = client is null ? action.Timeout : action.Timeout is { } route && route < client ? route : client;
        if (effective is { } timeout)
            headers["grpc-timeout"] = GrpcStatus.FormatTimeout(timeout);
        return effective;
    }
}
