using System.Globalization;

namespace Mesh.Waypoint.Resilience;

/// <summary>When to try again and how long to wait before it. Immutable and pure (reference 1.8).</summary>
internal sealed class RetryPolicy
{
    private static readonly TimeSpan DefaultBase = TimeSpan.FromMilliseconds(25);

    public static readonly RetryPolicy Never = new();

    /// <summary>Istio's default: two more tries where the request did not reach the application or gRPC says "unavailable".</summary>
    public static readonly RetryPolicy Default = new()
    {
        Attempts = 2,
        Conditions = RetryConditions.ConnectFailure | RetryConditions.RefusedStream | RetryConditions.GrpcUnavailable
            | RetryConditions.GrpcCancelled | RetryConditions.RetriableStatusCodes,
        AvoidPreviousHosts = true,
    };

    private RetryPolicy()
    {
    }

    /// <summary>Tries after the first.</summary>
    public int Attempts { get; private init; }

    public TimeSpan? PerTryTimeout { get; private init; }

    public RetryConditions Conditions { get; private init; }

    public IReadOnlyList<int> StatusCodes { get; private init; } = [];

    public TimeSpan BackoffBase { get; private init; } = DefaultBase;

    public TimeSpan BackoffMax { get; private init; } = DefaultBase * 10;

    public bool AvoidPreviousHosts { get; private init; }

    public static RetryPolicy Compile(V1.RetryPolicy? policy)
    {
        if (policy is null)
            return Never;
        var conditions = RetryConditions.None;
        var codes = policy.RetriableStatusCodes.Select(c => (int)c).ToList();
        foreach (var name in policy.RetryOn.SelectMany(n => n.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)))
        {
            if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var code))
                codes.Add(code);
            else
                conditions |= Parse(name);
        }

        if (codes.Count > 0)
            conditions |= RetryConditions.RetriableStatusCodes;
        var backoff = policy.BackoffBase?.ToTimeSpan() ?? DefaultBase;
        return new RetryPolicy
        {
            Attempts = (int)policy.Attempts,
            PerTryTimeout = policy.PerTryTimeout?.ToTimeSpan() is { Ticks: > 0 } perTry ? perTry : null,
            Conditions = conditions,
            StatusCodes = codes,
            BackoffBase = backoff,
            BackoffMax = policy.BackoffMax?.ToTimeSpan() ?? backoff * 10,
            AvoidPreviousHosts = policy.RetryIgnorePreviousHosts,
        };
    }

    /// <summary>The decision table of the reference, line by line. How often it was tried is the caller's business.</summary>
    public bool IsRetriable(in AttemptOutcome outcome) => outcome.Ending switch
    {
        AttemptEnding.ConnectFailure or AttemptEnding.ConnectTimeout => Has(RetryConditions.ConnectFailure | RetryConditions.GatewayError
            | RetryConditions.ServerError | RetryConditions.Reset | RetryConditions.ResetBeforeRequest),
        AttemptEnding.RefusedStream => Has(RetryConditions.RefusedStream | RetryConditions.GatewayError | RetryConditions.ServerError | RetryConditions.Reset),
        AttemptEnding.ConnectionTermination or AttemptEnding.RemoteReset or AttemptEnding.ProtocolError =>
            Has(RetryConditions.GatewayError | RetryConditions.ServerError | RetryConditions.Reset)
            || (!outcome.RequestWasStarted && Has(RetryConditions.ResetBeforeRequest)),
        AttemptEnding.PerTryTimeout => Has(RetryConditions.GatewayError | RetryConditions.ServerError | RetryConditions.Reset),
        AttemptEnding.Response => IsRetriableResponse(outcome),
        _ => false,
    };

    /// <summary>Before retry n (from 1): uniformly random below (2^n - 1) x base, at most the maximum.</summary>
    public TimeSpan Backoff(int retry, Random random)
    {
        var ceiling = Math.Min((Math.Pow(2, Math.Min(retry, 30)) - 1) * BackoffBase.Ticks, BackoffMax.Ticks);
        return TimeSpan.FromTicks((long)(random.NextDouble() * ceiling));
    }

    private bool IsRetriableResponse(in AttemptOutcome outcome)
    {
        if (outcome.IsRateLimited)
            return Has(RetryConditions.EnvoyRatelimited);
        if (outcome.Status >= 500 && Has(RetryConditions.ServerError))
            return true;
        if (outcome.Status is 502 or 503 or 504 && Has(RetryConditions.GatewayError))
            return true;
        if (outcome.Status == 409 && Has(RetryConditions.Retriable4xx))
            return true;
        if (Has(RetryConditions.RetriableStatusCodes) && StatusCodes.Contains(outcome.Status))
            return true;
        return outcome.GrpcStatusInHeaders switch
        {
            1 => Has(RetryConditions.GrpcCancelled),
            4 => Has(RetryConditions.GrpcDeadlineExceeded),
            8 => Has(RetryConditions.GrpcResourceExhausted),
            13 => Has(RetryConditions.GrpcInternal),
            14 => Has(RetryConditions.GrpcUnavailable),
            _ => false,
        };
    }

    private bool Has(RetryConditions any) => (Conditions & any) != 0;

    // A name that Envoy knows and that can never hold here (http3-post-connect-failure, retriable-headers without headers) is no error.
    private static RetryConditions Parse(string name) => name switch
    {
        "5xx" => RetryConditions.ServerError,
        "gateway-error" => RetryConditions.GatewayError,
        "reset" => RetryConditions.Reset,
        "reset-before-request" => RetryConditions.ResetBeforeRequest,
        "connect-failure" => RetryConditions.ConnectFailure,
        "refused-stream" => RetryConditions.RefusedStream,
        "retriable-4xx" => RetryConditions.Retriable4xx,
        "retriable-status-codes" => RetryConditions.RetriableStatusCodes,
        "envoy-ratelimited" => RetryConditions.EnvoyRatelimited,
        "cancelled" => RetryConditions.GrpcCancelled,
        "deadline-exceeded" => RetryConditions.GrpcDeadlineExceeded,
        "internal" => RetryConditions.GrpcInternal,
        "resource-exhausted" => RetryConditions.GrpcResourceExhausted,
        "unavailable" => RetryConditions.GrpcUnavailable,
        "retriable-headers" or "http3-post-connect-failure" or "envoy-ratelimited-retry" => RetryConditions.None,
        _ => throw new ConfigurationException($"retryOn: \"{name}\" is not a known condition"),
    };
}
