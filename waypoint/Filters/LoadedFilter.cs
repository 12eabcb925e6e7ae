using Mesh.Filters;

namespace Mesh.Waypoint.Filters;

/// <summary>How a filter's call went; the value of the metric's label.</summary>
internal enum FilterOutcome
{
    Ok,
    Failed,
    Late,
    OverAllocated,
}

/// <summary>One filter of a loaded assembly, called within its budgets.</summary>
internal sealed class LoadedFilter(string name, IFilter filter, FilterOptions options, FilterCounters counters, TimeProvider time)
{
    public string Name => name;

    /// <exception cref="FilterFailedException">It threw, or its time was used up.</exception>
    public async ValueTask<FilterAnswer?> OnRequestAsync(IFilterRequest request, CancellationToken clientGone)
    {
        using var budget = CancellationTokenSource.CreateLinkedTokenSource(clientGone);
        var started = time.GetTimestamp();
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            var call = filter.OnRequestAsync(request, budget.Token);
            allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
            var answer = call.IsCompleted ? await call : await WaitAsync(call.AsTask(), started, clientGone);
            Count(allocated, time.GetElapsedTime(started));
            return answer;
        }
        catch (TimeoutException)
        {
            await budget.CancelAsync();
            counters.Count(name, FilterOutcome.Late);
            throw new FilterFailedException(name, $"it did not answer within {options.TimeBudget.TotalMilliseconds:0} ms");
        }
        catch (Exception e) when (e is not OutOfMemoryException && !clientGone.IsCancellationRequested)
        {
            throw Failed(e);
        }
    }

    /// <exception cref="FilterFailedException">It threw.</exception>
    public void OnResponse(IFilterRequest request, IFilterResponse response)
    {
        var started = time.GetTimestamp();
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            filter.OnResponse(request, response);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw Failed(e);
        }

        Count(GC.GetAllocatedBytesForCurrentThread() - allocated, time.GetElapsedTime(started));
    }

    public void Dispose() => (filter as IDisposable)?.Dispose();

    private Task<FilterAnswer?> WaitAsync(Task<FilterAnswer?> call, long started, CancellationToken clientGone)
    {
        var left = options.TimeBudget - time.GetElapsedTime(started);
        return call.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, time, clientGone);
    }

    private FilterFailedException Failed(Exception e)
    {
        counters.Count(name, FilterOutcome.Failed);
        return new FilterFailedException(name, $"{e.GetType().Name}: {e.Message}");
    }

    private void Count(long allocated, TimeSpan elapsed) => counters.Count(
        name,
        elapsed > options.TimeBudget ? FilterOutcome.Late : allocated > options.AllocationBudget ? FilterOutcome.OverAllocated : FilterOutcome.Ok);
}

/// <summary>A filter did not do its part; the text is for the access log.</summary>
internal sealed class FilterFailedException(string filter, string reason) : Exception($"filter {filter}: {reason}")
{
    public string Filter => filter;
}
