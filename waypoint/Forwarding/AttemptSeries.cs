using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Http1;
using Mesh.Waypoint.Resilience;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Forwarding;

/// <summary>What all tries together came to: a response, or the failure of the last try, or neither (no endpoint, deadline, client gone).</summary>
internal readonly record struct SeriesResult(UpstreamCall? Response, AttemptFailure? Failure, bool WasRetried);

/// <summary>The tries of one request, one after the other.</summary>
internal sealed class AttemptSeries(
    Exchange exchange, ClusterState cluster, RetryPolicy policy, IUpstreamDialer dialer, InterimRelay interim, TimeProvider time, Random random)
{
    private EndpointState? _entered;
    private UpstreamCall? _call;
    private List<EndpointState>? _tried;

    public ulong? Hash { get; init; }

    /// <summary>There is no response because the client's request cannot be sent on.</summary>
    public bool IsClientsFault { get; private set; }

    public async Task<SeriesResult> RunAsync(UpstreamRequest request, ReplayableBody body, RequestDeadline deadline)
    {
        for (var retry = 0; ; retry++)
        {
            // 1. An endpoint, by what is usable now: ejections of earlier tries count already.
            if (cluster.View is not { } view || view.Pick(Hash, random, _tried) is not { } endpoint)
                return new SeriesResult(null, null, retry > 0);
            exchange.Endpoint = endpoint;
            exchange.Attempts++;

            // 2. The try.
            var (response, failure) = await TryAsync(view.Model, endpoint, request, body, deadline);
            if (response is null && failure is null)
                return default;
            var outcome = response is null ? new AttemptOutcome(failure!.Ending) : OutcomeOf(response);
            Report(endpoint, response, failure);
            if (failure is not null || policy.IsRetriable(outcome))
                exchange.NoteTry(endpoint, failure is null ? $"answered {response!.Status}" : failure.Transport ?? failure.Reason);

            // 3. Another?
            var retriable = policy.IsRetriable(outcome) && body.CanReplay && request.Upgrade is null && !interim.HasRelayed && !deadline.Token.IsCancellationRequested;
            if (!retriable)
                return new SeriesResult(response, failure, retry > 0 && response is null);
            if (retry == policy.Attempts)
            {
                if (policy.Attempts > 0)
                    exchange.Flags |= ResponseFlags.RetryLimitExceeded;
                return new SeriesResult(response, failure, retry > 0);
            }

            if (!cluster.Circuit.TryEnterRetry(view.Model.Limits))
            {
                exchange.Flags |= ResponseFlags.UpstreamOverflow;
                return new SeriesResult(response, failure, retry > 0);
            }

            try
            {
                // 4. What is left of this try ends; a pause; on.
                await EndAsync();
                if (policy.AvoidPreviousHosts && view.Model.Hash is null)
                    (_tried ??= []).Add(endpoint);
                await Task.Delay(policy.Backoff(retry + 1, random), time, deadline.Token);
            }
            catch (OperationCanceledException)
            {
                return default;
            }
            finally
            {
                cluster.Circuit.LeaveRetry();
            }
        }
    }

    /// <summary>Releases what the current try holds: its connection, its reader of the body, its place in the endpoint's count.</summary>
    public async Task EndAsync()
    {
        if (_call is not null)
            await _call.DisposeAsync();
        _entered?.Leave();
        (_call, _entered) = (null, null);
    }

    private async Task<(UpstreamCall? Response, AttemptFailure? Failure)> TryAsync(
        ClusterModel model, EndpointState endpoint, UpstreamRequest request, ReplayableBody body, RequestDeadline deadline)
    {
        endpoint.Enter();
        _entered = endpoint;

        // A per-try timeout that is not shorter than the whole has no effect.
        var perTry = policy.PerTryTimeout is { } p && p < RequestDeadline.Longest && !(deadline.Remaining <= p) ? p : (TimeSpan?)null;
        using var tryElapsed = perTry is { } t ? new CancellationTokenSource(t, time) : null;
        using var either = tryElapsed is null ? null : CancellationTokenSource.CreateLinkedTokenSource(tryElapsed.Token, deadline.Token);
        var client = exchange.Connection.Caller.Spiffe;
        var call = endpoint.Pools.Get(endpoint, cluster, model, client, dialer, time).Call(new UpstreamCallContext
        {
            Endpoint = endpoint,
            Cluster = cluster,
            Model = model,
            Request = request,
            Body = body.HasBody ? body : null,
            Dial = new DialContext(client, TraceParent()),
            Loop = exchange.Connection.Loop,
            ExpectedTimeout = perTry ?? (exchange.Attempts == 1 ? deadline.Whole : deadline.Remaining),
            Interim = interim,
        });
        _call = call;
        try
        {
            await call.SendAsync(either?.Token ?? deadline.Token, deadline.Token);
            return (call, null);
        }
        catch (Exception) when (exchange.Watch is { Elapsed: not StreamTime.None })
        {
            return (null, null);
        }
        catch (Exception) when (deadline.HasElapsed)
        {
            cluster.Report(endpoint, EndpointResult.TimedOut);
            return (null, null);
        }
        catch (Exception) when (exchange.HasClientLeft)
        {
            return (null, null);
        }
        catch (Exception e) when (e is BadHttpRequestException or ClientFaultException)
        {
            IsClientsFault = true;
            return (null, null);
        }
        catch (Exception) when (tryElapsed?.IsCancellationRequested == true)
        {
            return (null, AttemptFailure.PerTryTimeout);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            return (null, AttemptFailure.Classify(e, request.IsIdempotent));
        }
    }

    private void Report(EndpointState endpoint, UpstreamCall? response, AttemptFailure? failure)
    {
        if (response is not null)
        {
            var grpcStatus = response.GrpcStatusInHeaders();
            cluster.Report(endpoint, EndpointResult.Response(grpcStatus is { } status ? GrpcStatus.ToHttp(status) : response.Status));
            exchange.NotePushback(endpoint, Pushback.Asked(response.Status, grpcStatus, response.Fields, time.GetUtcNow()));
        }
        else if (failure!.Result is { } result)
            cluster.Report(endpoint, result);
    }

    private static AttemptOutcome OutcomeOf(UpstreamCall response) => new(
        AttemptEnding.Response, response.Status, response.GrpcStatusInHeaders(), response.Fields.Has("x-envoy-ratelimited"));

    private string? TraceParent() =>
        exchange.Http.Request.Headers.TryGetValue("traceparent", out var values) && values.Count > 0 ? values[0] : exchange.Connection.TraceParent;
}
