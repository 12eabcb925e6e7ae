using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Mesh.Runtime.Metrics;

namespace Mesh.Runtime.Tests.Metrics;

/// <summary>A recorded page is taken apart, put into a registry, and must be rendered as the same bytes.</summary>
public sealed partial class RecordedPageTests
{
    [Theory]
    [InlineData("0-fresh.txt")]
    [InlineData("2-after-known-traffic.txt")]
    public void Page_RenderedAgain_IsTheSameBytes(string file)
    {
        var recorded = Fixture.Read(file);
        var registry = new MetricRegistry();
        foreach (var family in Families(recorded))
            Register(registry, family);
        Assert.Equal(recorded, Encoding.UTF8.GetString(registry.Render().Span));
    }

    private static void Register(MetricRegistry registry, Family family)
    {
        switch (family.Type)
        {
            case "histogram":
                // The two observations that the recorded buckets and sum stand for.
                var histogram = registry.Histogram(family.Name, family.Help, [0.0005, 0.001, 0.01, 0.1, 1, 5], ["request_query_type", "request_protocol", "source_canonical_service", "source_canonical_revision"], family.Unit);
                var series = histogram.With("a", "udp", "cl-app", "v1");
                series.Observe(0.0005);
                series.Observe(0.000619999);
                break;
            case "counter" when family.Samples.Exists(s => s.Value.Contains('.', StringComparison.Ordinal)):
                registry.SampledCounter(family.Name, family.Help, w =>
                {
                    foreach (var (labels, value) in family.Samples)
                        w.Write(double.Parse(value, CultureInfo.InvariantCulture), labels);
                }, family.Unit);
                break;
            case "counter":
                var counter = registry.Counter(family.Name, family.Help, [], family.Unit);
                foreach (var (labels, value) in family.Samples)
                    counter.With(labels).Add(long.Parse(value, CultureInfo.InvariantCulture));
                break;
            default:
                var gauge = registry.Gauge(family.Name, family.Help, [], family.Unit);
                foreach (var (labels, value) in family.Samples)
                    gauge.With(labels).Set(long.Parse(value, CultureInfo.InvariantCulture));
                break;
        }
    }

    private static List<Family> Families(string page)
    {
        var families = new List<Family>();
        foreach (var line in page.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var words = line.Split(' ', 4);
            switch (words)
            {
                case ["#", "HELP", ..]:
                    families.Add(new Family(words[2], words[3]));
                    break;
                case ["#", "TYPE", ..]:
                    families[^1].Type = words[3];
                    break;
                case ["#", "UNIT", ..]:
                    families[^1].Unit = words[3];
                    break;
                case ["#", "EOF"]:
                    break;
                default:
                    var sample = Sample().Match(line);
                    families[^1].Samples.Add((Labels(sample.Groups["labels"].Value), sample.Groups["value"].Value));
                    break;
            }
        }

        return families;
    }

    private static LabelSet Labels(string text) => LabelSet.Of([.. Label().Matches(text).Select(m => (m.Groups[1].Value, m.Groups[2].Value))]);

    private sealed class Family(string name, string help)
    {
        public string Name => name;

        public string Help => help;

        public string Type { get; set; } = "";

        public string? Unit { get; set; }

        public List<(LabelSet Labels, string Value)> Samples { get; } = [];
    }

    [GeneratedRegex(@"^[a-z_]+(\{(?<labels>.*)\})? (?<value>\S+)$", RegexOptions.ExplicitCapture)]
    private static partial Regex Sample();

    [GeneratedRegex(@"([a-z_]+)=""([^""]*)""")]
    private static partial Regex Label();
}
