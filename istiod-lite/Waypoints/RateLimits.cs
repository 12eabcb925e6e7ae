using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;
using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>RateLimitPolicies to <c>mesh.waypoint.v1</c>.</summary>
internal static class RateLimits
{
    private const uint ResourceExhausted = 8;
    private const uint Unavailable = 14;

    public static RequestPolicy Convert(RateLimitPolicy policy, RouteContext context)
    {
        var result = new Mesh.Waypoint.V1.RateLimits
        {
            DryRun = PolicyTranslator.ParseBool(policy.Meta.Annotation(WellKnown.DryRun)),
            Answer = new RateLimitAnswer
            {
                Status = (uint)policy.Answer.Status,
                GrpcStatus = policy.Answer.Unavailable ? Unavailable : ResourceExhausted,
                LimitHeaders = policy.Answer.LimitHeaders,
            },
            Service = policy.Service is { } service ? Service(policy, service, context) : null,
        };
        foreach (var (name, value) in policy.Answer.Headers)
            result.Answer.Headers[name] = value;
        result.Rules.AddRange(policy.Rules.Select(Rule));
        return new RequestPolicy { Name = policy.Name, Namespace = policy.Namespace, RateLimits = result };
    }

    private static RateLimitService Service(RateLimitPolicy policy, LimitService service, RouteContext context)
    {
        var hostname = HostNames.Resolve(service.Host, policy.Namespace, context.Settings.ClusterDomain);
        return new RateLimitService
        {
            Cluster = Providers.Reach(policy, "its rate limit service", new ProviderService(null, hostname, service.Port), context) ?? string.Empty,
            Authority = $"{hostname}:{service.Port}",
            Domain = service.Domain,
            Timeout = ProtoParts.Of(service.Timeout),
            FailClosed = !service.FailOpen,
        };
    }

    private static RateLimitRule Rule(LimitRule rule)
    {
        var result = new RateLimitRule { Name = rule.Name, Shared = rule.Global };
        result.Matches.AddRange(rule.Matches.Select(VirtualRoutes.Match));
        result.Entries.AddRange(rule.Entries.Select(Entry));
        if (rule.Local is { } local)
            result.Local = new TokenBucket { Requests = local.Requests, Interval = ProtoParts.Of(local.Interval), Burst = local.Burst, MaxKeys = local.MaxKeys };
        return result;
    }

    private static RateLimitEntry Entry(LimitEntry entry)
    {
        var result = new RateLimitEntry { Key = entry.Key, Fallback = entry.Fallback ?? string.Empty };
        switch (entry.Source)
        {
            case LimitEntrySource.Constant:
                result.Constant = entry.Argument;
                break;
            case LimitEntrySource.Header:
                result.Header = entry.Argument;
                break;
            case LimitEntrySource.QueryParameter:
                result.QueryParameter = entry.Argument;
                break;
            case LimitEntrySource.RemoteAddress:
                result.RemoteAddress = true;
                break;
            case LimitEntrySource.Principal:
                result.Principal = true;
                break;
            case LimitEntrySource.Method:
                result.Method = true;
                break;
            case LimitEntrySource.Path:
                result.Path = true;
                break;
        }
        return result;
    }
}
