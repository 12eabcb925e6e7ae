namespace Mesh.Runtime.Metrics;

/// <summary>Counters of one name.</summary>
public sealed class CounterFamily : MetricFamily<Counter>
{
    internal CounterFamily(string name, string help, string? unit, IReadOnlyList<string> labels)
        : base(name, help, unit, labels)
    {
    }

    internal override ReadOnlySpan<byte> Type => "counter"u8;

    internal override void WriteSamples(MetricPage page)
    {
        foreach (var (labels, series) in Ordered())
            page.Sample(Name, "_total"u8, labels, series.Value);
    }

    private protected override Counter Make() => new();
}

/// <summary>Gauges of one name.</summary>
public sealed class GaugeFamily : MetricFamily<Gauge>
{
    internal GaugeFamily(string name, string help, string? unit, IReadOnlyList<string> labels)
        : base(name, help, unit, labels)
    {
    }

    internal override ReadOnlySpan<byte> Type => "gauge"u8;

    internal override void WriteSamples(MetricPage page)
    {
        foreach (var (labels, series) in Ordered())
            page.Sample(Name, default, labels, series.Value);
    }

    private protected override Gauge Make() => new();
}

/// <summary>Histograms of one name.</summary>
public sealed class HistogramFamily : MetricFamily<Histogram>
{
    private readonly double[] _bounds;
    private readonly LabelSet[] _boundLabels;

    internal HistogramFamily(string name, string help, string? unit, double[] bounds, IReadOnlyList<string> labels)
        : base(name, help, unit, labels)
    {
        _bounds = bounds;
        _boundLabels = [.. bounds.Select(b => LabelSet.Of(("le", MetricPage.Text(b)))), LabelSet.Of(("le", "+Inf"))];
    }

    internal override ReadOnlySpan<byte> Type => "histogram"u8;

    internal override void WriteSamples(MetricPage page)
    {
        foreach (var (labels, series) in Ordered())
        {
            var counts = series.Snapshot();
            page.Sample(Name, "_sum"u8, labels, series.Sum);
            page.Sample(Name, "_count"u8, labels, counts[^1]);
            for (var i = 0; i < counts.Length; i++)
                page.Sample(Name, "_bucket"u8, labels, counts[i], _boundLabels[i]);
        }
    }

    private protected override Histogram Make() => new(_bounds);
}

/// <summary>Values that exist elsewhere and are asked for at each scrape.</summary>
public sealed class SampledFamily : MetricFamily
{
    private readonly bool _counter;
    private readonly Action<SampleWriter> _collect;

    internal SampledFamily(string name, string help, string? unit, bool counter, Action<SampleWriter> collect)
        : base(name, help, unit)
    {
        _counter = counter;
        _collect = collect;
    }

    internal override ReadOnlySpan<byte> Type => _counter ? "counter"u8 : "gauge"u8;

    internal override bool IsEmpty => false;

    internal override void WriteSamples(MetricPage page) => _collect(new SampleWriter(page, Name, _counter));
}

/// <summary>Takes the samples of a <see cref="SampledFamily"/> during one scrape.</summary>
public readonly struct SampleWriter
{
    private readonly MetricPage _page;
    private readonly string _name;
    private readonly bool _counter;

    internal SampleWriter(MetricPage page, string name, bool counter)
    {
        _page = page;
        _name = name;
        _counter = counter;
    }

    public void Write(long value, LabelSet? labels = null) => _page.Sample(_name, Suffix, labels ?? LabelSet.None, value);

    public void Write(double value, LabelSet? labels = null) => _page.Sample(_name, Suffix, labels ?? LabelSet.None, value);

    private ReadOnlySpan<byte> Suffix => _counter ? "_total"u8 : default;
}
