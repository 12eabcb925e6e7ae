using System.Collections.Concurrent;

namespace Mesh.Runtime.Metrics;

/// <summary>All series of one name.</summary>
public abstract class MetricFamily
{
    private protected MetricFamily(string name, string help, string? unit)
    {
        Name = name;
        Help = help;
        Unit = unit;
    }

    /// <summary>Without <c>_total</c>; the page adds it to the samples of counters.</summary>
    public string Name { get; }

    public string Help { get; }

    public string? Unit { get; }

    internal abstract ReadOnlySpan<byte> Type { get; }

    internal abstract bool IsEmpty { get; }

    internal abstract void WriteSamples(MetricPage page);
}

/// <summary>A family whose series are objects that callers keep and update.</summary>
public abstract class MetricFamily<TSeries> : MetricFamily
    where TSeries : class
{
    private readonly ConcurrentDictionary<LabelSet, TSeries> _series = new();
    private readonly Func<LabelSet, TSeries> _make;

    // Scrapes print series in the order of their creation, so that two pages can be compared by eye.
    private readonly ConcurrentQueue<LabelSet> _order = new();

    private protected MetricFamily(string name, string help, string? unit, IReadOnlyList<string> labels)
        : base(name, help, unit)
    {
        LabelNames = labels;
        _make = labelSet =>
        {
            _order.Enqueue(labelSet);
            return Make();
        };
    }

    public IReadOnlyList<string> LabelNames { get; }

    internal override bool IsEmpty => _series.IsEmpty;

    /// <summary>The series for these label values. Resolve once and keep it: this renders the labels.</summary>
    public TSeries With(params ReadOnlySpan<string> values) => With(LabelSet.Of(LabelNames, values));

    /// <summary>The series for labels that are rendered already; the set may be shared by families with the same labels.</summary>
    public TSeries With(LabelSet labels) => _series.TryGetValue(labels, out var series) ? series : _series.GetOrAdd(labels, _make);

    /// <summary>Forgets a series, e.g. of a workload that no longer exists; holders of the object may go on updating it unseen.</summary>
    public bool Remove(LabelSet labels) => _series.TryRemove(labels, out _);

    private protected abstract TSeries Make();

    private protected IEnumerable<(LabelSet Labels, TSeries Series)> Ordered()
    {
        var printed = new HashSet<LabelSet>();
        foreach (var labels in _order)
        {
            // A race of two creators, or removal and creation again, leaves a second entry.
            if (_series.TryGetValue(labels, out var series) && printed.Add(labels))
                yield return (labels, series);
        }
    }
}
