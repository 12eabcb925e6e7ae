namespace Mesh.Runtime.Metrics;

/// <summary>The metrics of one process, printed in the order in which their families were registered. Any thread.</summary>
public sealed class MetricRegistry
{
    private readonly Lock _gate = new();
    private readonly List<MetricFamily> _families = [];

    /// <param name="name">Without <c>_total</c>.</param>
    /// <param name="help">Printed as it is; names that may still change say "(unstable)".</param>
    /// <param name="labels">Label names in printing order.</param>
    /// <param name="unit">Must be the end of the name, e.g. "bytes".</param>
    public CounterFamily Counter(string name, string help, IReadOnlyList<string>? labels = null, string? unit = null) =>
        Add(new CounterFamily(name, help, unit, labels ?? []));

    public GaugeFamily Gauge(string name, string help, IReadOnlyList<string>? labels = null, string? unit = null) =>
        Add(new GaugeFamily(name, help, unit, labels ?? []));

    /// <param name="bounds">Upper bounds of the buckets, ascending, without +Inf.</param>
    public HistogramFamily Histogram(string name, string help, double[] bounds, IReadOnlyList<string>? labels = null, string? unit = null) =>
        Add(new HistogramFamily(name, help, unit, bounds, labels ?? []));

    /// <summary>A gauge whose values are asked for at each scrape.</summary>
    public SampledFamily SampledGauge(string name, string help, Action<SampleWriter> collect, string? unit = null) =>
        Add(new SampledFamily(name, help, unit, counter: false, collect));

    /// <summary>A counter that is kept elsewhere and asked for at each scrape.</summary>
    public SampledFamily SampledCounter(string name, string help, Action<SampleWriter> collect, string? unit = null) =>
        Add(new SampledFamily(name, help, unit, counter: true, collect));

    /// <summary>The page of this moment, UTF-8.</summary>
    public ReadOnlyMemory<byte> Render()
    {
        MetricFamily[] families;
        lock (_gate)
            families = [.. _families];
        var page = new MetricPage();
        foreach (var family in families)
        {
            if (!family.IsEmpty)
                page.Family(family);
        }

        page.End();
        return page.Written;
    }

    private T Add<T>(T family)
        where T : MetricFamily
    {
        if (family.Unit is { } unit && !family.Name.EndsWith("_" + unit, StringComparison.Ordinal))
            throw new ArgumentException($"metric {family.Name} has the unit '{unit}', so its name must end in _{unit}", nameof(family));
        lock (_gate)
        {
            if (_families.Exists(f => f.Name == family.Name))
                throw new InvalidOperationException($"metric {family.Name} is registered twice");
            _families.Add(family);
        }

        return family;
    }
}
