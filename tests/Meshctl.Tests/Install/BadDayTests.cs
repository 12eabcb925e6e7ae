using System.Text.RegularExpressions;

using Mesh.Testing;

namespace Mesh.Meshctl.Tests.Install;

/// <summary>Line by line of the table of bad days: each is an Event and a number that some test waits for, and a line of meshctl status --cluster.</summary>
public sealed partial class BadDayTests : ClusterStatusRig
{
    private static readonly Lazy<string> Tests = new(() => string.Concat(
        Directory.EnumerateFiles(Path.Combine(Repository.Root, "tests"), "*.cs", SearchOption.AllDirectories)
            .Where(f => !Generated().IsMatch(f) && !f.EndsWith($"{nameof(BadDayTests)}.cs", StringComparison.Ordinal))
            .Select(File.ReadAllText)));

    public static TheoryData<string, string> Rows()
    {
        var rows = new TheoryData<string, string>();
        foreach (var (reason, metric) in BadDays.Rows().Select(r => (r.Reason, r.Metric)).Distinct())
            rows.Add(reason, metric);
        return rows;
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task EachRow_HasATestOfItsEventAndOfItsMetric_AndIsALineOfTheStatus(string reason, string metric)
    {
        Assert.Matches($"(EventAsync|ToldAsync|TimesAsync|\"reason\"\\] == )[^;\n]*\"{reason}\"", Tests.Value);
        // A metric with a label is asserted by the label, and a counter by what it is registered as.
        Assert.Matches(metric.Split('"') is [_, var label, _] ? $"\"{label}\\\\?\"" : TotalSuffix().Replace(metric, string.Empty), Tests.Value);

        PutEvent("Pod", "istio-system", "of-the-mesh", reason, "what is wrong", metric.StartsWith("ztunnel_", StringComparison.Ordinal) || metric.StartsWith("workload_", StringComparison.Ordinal) ? "mesh.io/ztunnel" : "istiod-lite");
        Assert.Equal(("Pod istio-system/of-the-mesh", reason, "what is wrong"), Assert.Single((await ReadAsync()).Events.Select(e => (e.On, e.Reason, e.Text))));
    }

    [GeneratedRegex("_total$")]
    private static partial Regex TotalSuffix();

    [GeneratedRegex("/(obj|bin)/")]
    private static partial Regex Generated();
}
