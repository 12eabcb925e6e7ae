namespace Mesh.IstiodLite.Resources;

internal enum LimitEntrySource
{
    Constant,
    Header,
    QueryParameter,
    RemoteAddress,
    Principal,
    Method,
    Path,
}

/// <summary>One thing that is counted apart. Argument: the constant, or the name of the header or parameter.</summary>
internal sealed record LimitEntry(string Key, LimitEntrySource Source, string Argument, string? Fallback);

internal sealed record LocalLimit(uint Requests, TimeSpan Interval, uint Burst, uint MaxKeys);

internal sealed record LimitRule
{
    public string Name { get; init; } = string.Empty;
    public IReadOnlyList<HttpMatch> Matches { get; init; } = [];
    public IReadOnlyList<LimitEntry> Entries { get; init; } = [];
    public LocalLimit? Local { get; init; }
    public bool Global { get; init; }
}

internal sealed record LimitService(string Host, int Port, string Domain, TimeSpan Timeout, bool FailOpen, int Line);

internal sealed record LimitAnswer
{
    public int Status { get; init; } = 429;
    public bool Unavailable { get; init; }
    public bool LimitHeaders { get; init; }
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
}

/// <summary>Ours: how often requests may come (docs/rate-limits.md).</summary>
internal sealed class RateLimitPolicy : TargetedPolicy
{
    public override string Kind => "RateLimitPolicy";
    public IReadOnlyList<LimitRule> Rules { get; init; } = [];
    public LimitService? Service { get; init; }
    public LimitAnswer Answer { get; init; } = new();
}
