using System.Globalization;
using Envoy.Service.Ratelimit.V3;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.RateLimiting;

/// <summary>The three headers of draft-polli-ratelimit-headers-03, as Envoy writes them: of what is nearest to its limit.</summary>
internal readonly record struct LimitHeaders(string Limit, long Remaining, long ResetSeconds)
{
    public static LimitHeaders Of(RateLimitRule rule, in BucketResult result, TimeProvider time)
    {
        var rate = rule.Buckets!.Rate;
        var window = Math.Max(1, (long)Math.Ceiling(rate.Interval.TotalSeconds));
        return new LimitHeaders(
            string.Create(CultureInfo.InvariantCulture, $"{rate.Burst}, {rate.Requests};w={window}"),
            result.Remaining,
            Seconds(result.UntilFull, time));
    }

    /// <summary>Null where the service told no limit.</summary>
    public static LimitHeaders? Of(RateLimitResponse response)
    {
        var known = response.Statuses.Where(s => s.CurrentLimit is not null).ToList();
        if (known.Count == 0)
            return null;
        var nearest = known.MinBy(s => s.LimitRemaining)!;
        var text = nearest.CurrentLimit.RequestsPerUnit.ToString(CultureInfo.InvariantCulture);
        foreach (var status in known)
        {
            var limit = status.CurrentLimit;
            text += string.Create(CultureInfo.InvariantCulture, $", {limit.RequestsPerUnit};w={Window(limit.Unit)}");
            if (limit.Name.Length > 0)
                text += $";name=\"{limit.Name}\"";
        }

        return new LimitHeaders(text, nearest.LimitRemaining, nearest.DurationUntilReset?.Seconds ?? 0);
    }

    /// <summary>Rounded up: who waits that long is let in.</summary>
    public static long Seconds(long ticks, TimeProvider time) => (ticks + time.TimestampFrequency - 1) / time.TimestampFrequency;

    public void Write(IHeaderDictionary headers)
    {
        headers["x-ratelimit-limit"] = Limit;
        headers["x-ratelimit-remaining"] = Remaining.ToString(CultureInfo.InvariantCulture);
        headers["x-ratelimit-reset"] = ResetSeconds.ToString(CultureInfo.InvariantCulture);
    }

    private static long Window(RateLimitResponse.Types.RateLimit.Types.Unit unit) => unit switch
    {
        RateLimitResponse.Types.RateLimit.Types.Unit.Minute => 60,
        RateLimitResponse.Types.RateLimit.Types.Unit.Hour => 3600,
        RateLimitResponse.Types.RateLimit.Types.Unit.Day => 86_400,
        RateLimitResponse.Types.RateLimit.Types.Unit.Week => 604_800,
        RateLimitResponse.Types.RateLimit.Types.Unit.Month => 2_592_000,
        RateLimitResponse.Types.RateLimit.Types.Unit.Year => 31_536_000,
        _ => 1,
    };
}
