namespace Mesh.Kubernetes.Informers;

public enum InformerState
{
    Starting,
    /// <summary>The kind is not served; it is waited for.</summary>
    NotInstalled,
    Listing,
    Watching,
    /// <summary>Something failed; what was known stays, the next attempt is due.</summary>
    Retrying,
}

/// <summary>How an informer is doing, for readiness detail and metrics.</summary>
public sealed record InformerHealth
{
    public required string Kind { get; init; }
    public InformerState State { get; init; }

    /// <summary>What is wrong now, in words; null while nothing is.</summary>
    public string? Problem { get; init; }

    /// <summary>Since when <see cref="Problem"/> stands.</summary>
    public DateTimeOffset? ProblemSince { get; init; }

    /// <summary>Whether the content was complete at least once (a kind that is not installed is complete and empty).</summary>
    public bool HasSynced { get; init; }
    public int Objects { get; init; }
    public long Lists { get; init; }
    public long Watches { get; init; }
    public long Failures { get; init; }

    /// <summary>Events that came twice or in the wrong order.</summary>
    public long Irregular { get; init; }

    public override string ToString() => $"{Kind}: {State switch
    {
        InformerState.Starting => "starting",
        InformerState.NotInstalled => "not installed",
        InformerState.Listing => "listing",
        InformerState.Watching => "watching",
        _ => "retrying",
    }}{(Problem is null ? "" : $" ({Problem})")}";
}

/// <summary>Times and sizes of an informer.</summary>
public sealed record InformerOptions
{
    public int PageSize { get; init; } = 500;

    /// <summary>Lists are asked for as streams first; a server that refuses is asked for pages.</summary>
    public bool StreamingLists { get; init; } = true;

    /// <summary>A streamed list that says nothing for so long before its end mark comes from a server that does not know streamed lists.</summary>
    public TimeSpan StreamedListSilence { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The server is asked for a chance value between this and twice this, so that not all watches end together.</summary>
    public TimeSpan WatchTimeout { get; init; } = TimeSpan.FromMinutes(5);
    public TimeSpan Silence { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>After so long without a single event or bookmark the kind is listed again: a server whose history was set back stays silent for ever.</summary>
    public TimeSpan ListAfterSilence { get; init; } = TimeSpan.FromMinutes(30);
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromMilliseconds(300);
    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a kind must be missing before its objects are given up: a starting API server does not serve every kind at once.</summary>
    public TimeSpan MissingGrace { get; init; } = TimeSpan.FromSeconds(5);
}
