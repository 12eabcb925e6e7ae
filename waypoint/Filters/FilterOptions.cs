namespace Mesh.Waypoint.Filters;

/// <summary>What filters may cost and what becomes of a request whose filter fails.</summary>
internal sealed record FilterOptions
{
    public required string Folder { get; init; }

    /// <summary>Of one call. An asynchronous call that takes longer has failed; a blocking one is only counted, because nothing can end it.</summary>
    public TimeSpan TimeBudget { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Bytes that one call may allocate before it first waits; more is counted.</summary>
    public long AllocationBudget { get; init; } = 64 * 1024;

    /// <summary>A failed filter is passed over; otherwise the request is answered 500.</summary>
    public bool FailOpen { get; init; }
}
