using Mesh.Meshctl.Demo;

namespace Mesh.Meshctl.Tests.Demo;

public sealed class StatisticsTests
{
    // From the distribution itself, summed from each end with another program.
    [Theory]
    [InlineData(2000, 0.05, 0.001, 69, 133)]
    [InlineData(10, 0.5, 0.05, 2, 8)]
    public void BinomialBounds_KnownCases_AreTheQuantiles(int trials, double probability, double doubt, int low, int high) =>
        Assert.Equal((low, high), Statistics.BinomialBounds(trials, probability, doubt));

    [Theory]
    [InlineData(0.5, 50)]
    [InlineData(0.99, 99)]
    [InlineData(1, 100)]
    public void Percentile_OfOneToHundred_IsTheShare(double share, double expected) =>
        Assert.Equal(expected, Statistics.Percentile(Enumerable.Range(1, 100).Select(i => (double)i).Reverse(), share));

    [Fact]
    public void Parse_OfCurlsOutput_KeepsFailuresAsFailures()
    {
        var results = CurlRun.Parse("payment-v1-a|200|0.001\n|000|0.5\nnoise\n");
        Assert.Equal([new CurlResult("payment-v1-a", 200, 0.001), new CurlResult(string.Empty, 0, 0.5)], results);
    }

    [Fact]
    public void Quantile_BetweenTwoPages_CountsOnlyWhatCameBetween()
    {
        var before = MetricsPage.Parse("# HELP x\nh_bucket{a=\"1\",le=\"1\"} 100\nh_bucket{a=\"1\",le=\"+Inf\"} 100\n");
        var after = MetricsPage.Parse("h_bucket{a=\"1\",le=\"1\"} 101\nh_bucket{a=\"1\",le=\"5\"} 110\nh_bucket{a=\"1\",le=\"+Inf\"} 110\nplain 7 123\n");
        Assert.Equal(5, MetricsPage.Quantile(before, after, "h", 0.5));
        Assert.Equal(1, MetricsPage.Quantile(before, after, "h", 0.1));
        Assert.Equal(7, after.Sum("plain"));
    }
}
