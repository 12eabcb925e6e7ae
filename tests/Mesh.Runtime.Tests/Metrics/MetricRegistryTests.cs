using System.Text;
using Mesh.Runtime.Metrics;

namespace Mesh.Runtime.Tests.Metrics;

public sealed class MetricRegistryTests
{
    private readonly MetricRegistry _registry = new();

    [Fact]
    public void Family_WithoutSamples_IsNotPrinted()
    {
        _registry.Counter("a", "A.", ["x"]);
        _registry.SampledGauge("b", "B.", _ => { });
        Assert.Equal("# EOF\n", Page());
    }

    [Fact]
    public void LabelValue_OfAnyContent_StaysInItsQuotes()
    {
        _registry.Counter("a", "A.", ["x"]).With("q\"b\\n\n").Increment();
        Assert.Contains("a_total{x=\"q\\\"b\\\\n\\n\"} 1\n", Page(), StringComparison.Ordinal);
    }

    [Fact]
    public void Series_OfEqualLabels_AreOne()
    {
        var family = _registry.Counter("a", "A.", ["x", "y"]);
        Assert.Same(family.With("1", "2"), family.With("1", "2"));
        Assert.Same(family.With("1", "2"), family.With(LabelSet.Of(("x", "1"), ("y", "2"))));
        Assert.NotSame(family.With("1", "2"), family.With("2", "1"));
    }

    [Fact]
    public void Series_Removed_IsNotPrintedAndMayComeAgain()
    {
        var family = _registry.Gauge("a", "A.", ["x"]);
        var labels = LabelSet.Of(("x", "1"));
        family.With(labels).Set(5);
        Assert.True(family.Remove(labels));
        Assert.Equal("# EOF\n", Page());
        family.With(labels).Set(6);
        Assert.Contains("a{x=\"1\"} 6\n", Page(), StringComparison.Ordinal);
        Assert.Equal(2, Page().Split("a{x").Length);
    }

    [Fact]
    public void Labels_OfTheWrongNumber_AreRefused() =>
        Assert.Contains("x, y", Assert.Throws<ArgumentException>(() => _registry.Counter("a", "A.", ["x", "y"]).With("1")).Message, StringComparison.Ordinal);

    [Fact]
    public void Name_RegisteredTwiceOrWithoutItsUnit_IsRefused()
    {
        _registry.Counter("a", "A.");
        Assert.Throws<InvalidOperationException>(() => _registry.Gauge("a", "A."));
        Assert.Throws<ArgumentException>(() => _registry.Counter("b", "B.", unit: "bytes"));
    }

    [Fact]
    public void Histogram_CountsAnObservationInEveryBucketThatHoldsIt()
    {
        var series = _registry.Histogram("h", "H.", [1, 2.5]).With();
        foreach (var value in (double[])[1, 2, 3])
            series.Observe(value);
        Assert.Contains("h_sum 6.0\nh_count 3\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"2.5\"} 2\nh_bucket{le=\"+Inf\"} 3\n", Page(), StringComparison.Ordinal);
    }

    [Fact]
    public void Counter_OfManyThreads_LosesNothing()
    {
        var family = _registry.Counter("a", "A.", ["x"]);
        Parallel.For(0, 8, _ =>
        {
            for (var i = 0; i < 10_000; i++)
                family.With("same").Increment();
        });
        Assert.Equal(80_000, family.With("same").Value);
    }

    [Fact]
    public void Increment_OfAKeptSeries_AllocatesNothing()
    {
        var counter = _registry.Counter("a", "A.", ["x"]).With("1");
        var histogram = _registry.Histogram("h", "H.", [1, 2]).With();
        counter.Increment();
        histogram.Observe(1);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            counter.Add(i);
            histogram.Observe(i);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void ProcessMetrics_OfThisProcess_AreThere()
    {
        ProcessMetrics.Register(_registry);
        var page = Page();
        Assert.StartsWith("# HELP process_open_fds Number of open file descriptors\n# TYPE process_open_fds gauge\nprocess_open_fds ", page, StringComparison.Ordinal);
        Assert.True(ProcessMetrics.OpenDescriptors() > 3);
        Assert.True(ProcessMetrics.DescriptorLimit() > 100);
    }

    [Theory]
    [InlineData(0, "0.0")]
    [InlineData(5, "5.0")]
    [InlineData(0.0005, "0.0005")]
    [InlineData(0.001119999, "0.001119999")]
    [InlineData(0.002562841, "0.002562841")]
    [InlineData(double.PositiveInfinity, "+Inf")]
    public void Number_IsPrintedAsShortAsItReadsBack(double value, string text) => Assert.Equal(text, MetricPage.Text(value));

    private string Page() => Encoding.UTF8.GetString(_registry.Render().Span);
}
