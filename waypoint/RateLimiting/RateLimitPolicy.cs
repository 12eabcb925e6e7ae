namespace Mesh.Waypoint.RateLimiting;

/// <summary>One RateLimitPolicy, compiled. Its buckets live as long as it does: until the document itself changes.</summary>
internal sealed class RateLimitPolicy
{
    // Envoy's; a limiter that is slower than the requests it protects is worse than none.
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromMilliseconds(20);

    public RateLimitPolicy(V1.RequestPolicy policy, TimeProvider time)
    {
        var limits = policy.RateLimits;
        Name = policy.Name;
        Rules = [.. limits.Rules.Select(r => new RateLimitRule(r, time))];
        IsDryRun = limits.DryRun;
        Service = limits.Service is { } service
            ? new RateLimitServiceRule(service.Cluster, service.Authority, service.Domain, service.Timeout?.ToTimeSpan() ?? DefaultTimeout, service.FailClosed)
            : null;
        Answer = new RateLimitAnswer(limits.Answer ?? new V1.RateLimitAnswer());
        if (Service is null && Rules.FirstOrDefault(r => r.IsShared) is { } shared)
            throw new ConfigurationException($"{policy.Name}: rule \"{shared.Name}\" is shared, but no service is named that could count");
    }

    public string Name { get; }

    public IReadOnlyList<RateLimitRule> Rules { get; }

    public bool IsDryRun { get; }

    public RateLimitServiceRule? Service { get; }

    public RateLimitAnswer Answer { get; }
}

/// <param name="Cluster">Empty: the service is not known, which counts as no answer.</param>
/// <param name="FailClosed">No answer is answered 500; else the request passes.</param>
internal sealed record RateLimitServiceRule(string Cluster, string Authority, string Domain, TimeSpan Timeout, bool FailClosed);

/// <summary>What a client over its limit is told.</summary>
internal sealed class RateLimitAnswer(V1.RateLimitAnswer answer)
{
    private const int ResourceExhausted = 8;

    public int Status { get; } = answer.Status == 0 ? 429 : (int)answer.Status;

    public int GrpcStatus { get; } = answer.GrpcStatus == 0 ? ResourceExhausted : (int)answer.GrpcStatus;

    /// <summary>x-ratelimit-* on every response that was counted.</summary>
    public bool HasLimitHeaders { get; } = answer.LimitHeaders;

    public IReadOnlyList<(string Name, string Value)> Headers { get; } = [.. answer.Headers.Select(h => (h.Key, h.Value))];
}
