using System.Globalization;
using Envoy.Service.Ratelimit.V3;
using Mesh.Waypoint.Authorization;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.RateLimiting;
using Mesh.Waypoint.Routing;
using Mesh.Xds.Grpc;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Pipeline;

/// <summary>
/// Rate limits of a destination, policy by policy: local buckets first, which cost nothing to ask, then the service, once with every descriptor of the
/// policy. Counting goes on through all rules before the answer, so a rule's count does not depend on the order of the others.
/// </summary>
internal sealed class RateLimitStep(Func<PolicyTable> policies, ServiceClients services, TimeProvider time)
{
    public Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        var exchange = Exchange.Of(http);
        var limits = policies().For(exchange.Destination!).RateLimits;
        return limits.Count == 0 ? next(http) : CountAsync(exchange, limits, next);
    }

    private async Task CountAsync(Exchange exchange, IReadOnlyList<RateLimitPolicy> limits, RequestDelegate next)
    {
        foreach (var policy in limits)
        {
            if (!CountHere(exchange, policy, out var descriptors))
            {
                await RefuseAsync(exchange, policy, "local_rate_limited"u8.ToArray(), "local_rate_limited");
                return;
            }

            if (descriptors is not null && !await AskAsync(exchange, policy, descriptors))
                return;
        }

        await next(exchange.Http);
    }

    private bool CountHere(Exchange exchange, RateLimitPolicy policy, out List<RateLimitDescriptor>? descriptors)
    {
        descriptors = null;
        var passes = true;
        LimitHeaders? nearest = null;
        foreach (var rule in policy.Rules)
        {
            if (rule.Values(exchange.Facts) is not { } values)
                continue;
            if (rule.IsShared && values.Length > 0)
                (descriptors ??= []).Add(rule.Descriptor(values));
            if (rule.Buckets is not { } buckets)
                continue;
            var result = buckets.Take(RateLimitRule.KeyOf(values), time.GetTimestamp());
            if (policy.Answer.HasLimitHeaders && (nearest is null || result.Remaining < nearest.Value.Remaining))
                nearest = LimitHeaders.Of(rule, result, time);
            if (result.Taken || !passes)
                continue;
            exchange.RateLimit = $"{policy.Name}[{rule.Name}]";
            passes = policy.IsDryRun;
            if (!passes)
                exchange.Http.Response.Headers.RetryAfter = LimitHeaders.Seconds(result.Wait, time).ToString(CultureInfo.InvariantCulture);
        }

        if (nearest is { } headers && !policy.IsDryRun)
            WriteLater(exchange, headers);
        return passes;
    }

    /// <returns>False: answered.</returns>
    private async Task<bool> AskAsync(Exchange exchange, RateLimitPolicy policy, List<RateLimitDescriptor> descriptors)
    {
        var rule = policy.Service!;
        RateLimitResponse response;
        try
        {
            if (rule.Cluster.Length == 0)
                throw new GrpcException(GrpcStatusCode.Unavailable, $"the control plane knows no service {rule.Authority}");
            var request = new RateLimitRequest { Domain = rule.Domain, Descriptors = { descriptors } };
            response = await services.For(rule.Cluster, rule.Authority).Grpc.UnaryAsync(GrpcMethods.ShouldRateLimit, request, new GrpcCallOptions { Timeout = rule.Timeout }, exchange.Http.RequestAborted);
        }
        catch (GrpcException e)
        {
            exchange.Http.RequestAborted.ThrowIfCancellationRequested();
            exchange.UpstreamFailure = $"rate limit service: {e.Status}";
            if (!rule.FailClosed || policy.IsDryRun)
                return true;
            await LocalReply.WriteAsync(exchange, StatusCodes.Status500InternalServerError, string.Empty, "rate_limiter_error", ResponseFlags.RateLimitServiceError);
            return false;
        }

        var over = response.OverallCode == RateLimitResponse.Types.Code.OverLimit;
        if (over)
            exchange.RateLimit = $"{policy.Name}[{rule.Domain}]";
        if (policy.IsDryRun)
            return true;
        if (policy.Answer.HasLimitHeaders && LimitHeaders.Of(response) is { } headers)
            WriteLater(exchange, headers);
        if (response.ResponseHeadersToAdd.Count > 0)
            exchange.AddResponseHeaders([.. response.ResponseHeadersToAdd.Select(Added)]);
        if (over)
        {
            await RefuseAsync(exchange, policy, response.RawBody.ToByteArray(), "request_rate_limited");
            return false;
        }

        HeaderChange.Apply(response.RequestHeadersToAdd.Select(Added), exchange.Http.Request.Headers);
        return true;
    }

    private static HeaderChange Added(HeaderValue header) => new(header.Key, header.Value, HeaderChangeKind.Append);

    private static void WriteLater(Exchange exchange, LimitHeaders limit) => exchange.Http.Response.OnStarting(() =>
    {
        limit.Write(exchange.Http.Response.Headers);
        return Task.CompletedTask;
    });

    private static Task RefuseAsync(Exchange exchange, RateLimitPolicy policy, byte[] body, string details)
    {
        var headers = exchange.Http.Response.Headers;
        headers["x-envoy-ratelimited"] = "true";
        foreach (var (name, value) in policy.Answer.Headers)
            headers[name] = value;
        return LocalReply.WriteAsync(exchange, policy.Answer.Status, body, details, ResponseFlags.RateLimited, grpcStatus: policy.Answer.GrpcStatus);
    }
}
