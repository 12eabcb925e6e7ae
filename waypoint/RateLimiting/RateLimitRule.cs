using Envoy.Service.Ratelimit.V3;
using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.RateLimiting;

/// <summary>One rule of a RateLimitPolicy, compiled.</summary>
internal sealed class RateLimitRule
{
    private const int DefaultMaximumKeys = 10_000;

    // No header value has one, so two lists of values never look the same.
    private const char Separator = '\n';

    private readonly RouteMatcher[] _matches;
    private readonly V1.RateLimitEntry[] _entries;

    public RateLimitRule(V1.RateLimitRule rule, TimeProvider time)
    {
        Name = rule.Name;
        IsShared = rule.Shared;
        _matches = [.. rule.Matches.Select(m => new RouteMatcher(m))];
        _entries = [.. rule.Entries];
        if (rule.Local is { } local)
        {
            var burst = local.Burst == 0 ? local.Requests : local.Burst;
            Buckets = new BucketTable(new BucketRate(local.Requests, local.Interval?.ToTimeSpan() ?? TimeSpan.Zero, burst, time), local.MaxKeys == 0 ? DefaultMaximumKeys : (int)Math.Min(local.MaxKeys, int.MaxValue));
        }
    }

    public string Name { get; }

    /// <summary>Counted by the rate limit service, for all instances together.</summary>
    public bool IsShared { get; }

    /// <summary>Counted here; null: not.</summary>
    public BucketTable? Buckets { get; }

    /// <returns>The values of what is counted apart; null: the rule does not count this request.</returns>
    public string[]? Values(RequestFacts request)
    {
        if (!Matches(request))
            return null;
        if (_entries.Length == 0)
            return [];
        var values = new string[_entries.Length];
        for (var i = 0; i < values.Length; i++)
        {
            if (Value(_entries[i], request) is not { Length: > 0 } value)
                return null;
            values[i] = value;
        }

        return values;
    }

    public static string KeyOf(string[] values) => values.Length switch
    {
        0 => string.Empty,
        1 => values[0],
        _ => string.Join(Separator, values),
    };

    public RateLimitDescriptor Descriptor(string[] values)
    {
        var descriptor = new RateLimitDescriptor();
        for (var i = 0; i < values.Length; i++)
            descriptor.Entries.Add(new RateLimitDescriptor.Types.Entry { Key = _entries[i].Key, Value = values[i] });
        return descriptor;
    }

    private bool Matches(RequestFacts request)
    {
        if (_matches.Length == 0)
            return true;
        foreach (var match in _matches)
        {
            if (match.Matches(request))
                return true;
        }

        return false;
    }

    private static string? Value(V1.RateLimitEntry entry, RequestFacts request)
    {
        var value = entry.SourceCase switch
        {
            V1.RateLimitEntry.SourceOneofCase.Constant => entry.Constant,
            V1.RateLimitEntry.SourceOneofCase.Header => request.Headers.TryGetValue(entry.Header, out var values) ? HeaderMatcher.Join(values) : null,
            V1.RateLimitEntry.SourceOneofCase.QueryParameter => Query(request, entry.QueryParameter),
            V1.RateLimitEntry.SourceOneofCase.RemoteAddress => request.Caller.Address.Address.ToString(),
            V1.RateLimitEntry.SourceOneofCase.Principal => request.Caller.Spiffe,
            V1.RateLimitEntry.SourceOneofCase.Method => request.Method,
            V1.RateLimitEntry.SourceOneofCase.Path => request.Path,
            _ => null,
        };
        return string.IsNullOrEmpty(value) ? entry.Fallback : value;
    }

    private static string? Query(RequestFacts request, string name)
    {
        foreach (var pair in new Microsoft.AspNetCore.WebUtilities.QueryStringEnumerable(request.Query))
        {
            if (pair.DecodeName().Span.SequenceEqual(name))
                return pair.DecodeValue().ToString();
        }

        return null;
    }
}
