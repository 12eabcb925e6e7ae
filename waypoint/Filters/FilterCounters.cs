using System.Collections.Concurrent;
using Mesh.Runtime.Metrics;

namespace Mesh.Waypoint.Filters;

/// <summary><c>mesh_waypoint_filter_calls</c> by filter and outcome.</summary>
internal sealed class FilterCounters(MetricRegistry registry)
{
    private static readonly string[] Labels = ["filter", "outcome"];

    private readonly CounterFamily _calls = registry.Counter("mesh_waypoint_filter_calls", "Calls of filters: ok, failed, late (over their time), over_allocated.", Labels);
    private readonly ConcurrentDictionary<(string Filter, FilterOutcome Outcome), Counter> _series = new();

    public void Count(string filter, FilterOutcome outcome)
    {
        if (!_series.TryGetValue((filter, outcome), out var counter))
            counter = _series.GetOrAdd((filter, outcome), k => _calls.With(LabelSet.Of(("filter", k.Filter), ("outcome", Text(k.Outcome)))));
        counter.Increment();
    }

    private static string Text(FilterOutcome outcome) => outcome switch
    {
        FilterOutcome.Failed => "failed",
        FilterOutcome.Late => "late",
        FilterOutcome.OverAllocated => "over_allocated",
        _ => "ok",
    };
}
