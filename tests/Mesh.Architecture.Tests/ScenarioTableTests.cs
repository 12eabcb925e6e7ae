using System.Text.Json;
using System.Text.RegularExpressions;

namespace Mesh.Architecture.Tests;

/// <summary>The tables of what is promised name tests that exist, recorded cases that are replayed, and differences that are written down.</summary>
public sealed partial class ScenarioTableTests
{
    private const string Fixtures = "tests/Waypoint.Tests/Fixtures/l7";

    /// <summary>With the fewest rows that each may have, so that a change of form is not taken for completeness.</summary>
    public static TheoryData<string, int> Tables => new()
    {
        { "docs/ztunnel-scenarios.md", 100 }, { "docs/waypoint-scenarios.md", 110 }, { "docs/istiod-scenarios.md", 50 }, { "docs/kubernetes-scenarios.md", 80 },
    };

    private static List<string> RowsOf(string table) =>
        [.. Repository.Read(table).Split('\n').Where(l => l.StartsWith("| ", StringComparison.Ordinal) && !Heading().IsMatch(l))];

    [Theory]
    [MemberData(nameof(Tables))]
    public void Row_NamesAtLeastOneTestOrDifference(string table, int fewest)
    {
        var rows = RowsOf(table);
        Assert.True(rows.Count >= fewest, $"only {rows.Count} rows are found in {table}: has its form changed?");
        Assert.All(rows, row => Assert.True(TestName().IsMatch(Answer(row)) || Scenario().IsMatch(Answer(row)) || Case().IsMatch(Answer(row)) || Difference().IsMatch(Answer(row)), row));
    }

    [Theory]
    [MemberData(nameof(Tables))]
    public void Test_ThatIsNamed_Exists(string table, int fewest)
    {
        Assert.True(fewest > 0);
        var files = Repository.SourceFiles.Where(f => f.StartsWith("tests/", StringComparison.Ordinal)).ToLookup(f => Path.GetFileNameWithoutExtension(f), StringComparer.Ordinal);
        foreach (Match name in RowsOf(table).SelectMany(row => TestName().Matches(Answer(row))))
        {
            var (type, method) = (name.Groups[1].Value, name.Groups[2].Value);
            Assert.True(
                files[type].Any(f => Regex.IsMatch(Repository.Read(f), $@"public (async )?(Task|void|bool|Property) {method}\(")),
                $"{table} names {type}.{method}, which is no test");
        }
    }

    [Theory]
    [MemberData(nameof(Tables))]
    public void Difference_ThatIsNamed_HasItsRow(string table, int fewest)
    {
        Assert.True(fewest > 0);
        var known = Repository.Read("docs/compatibility.md");
        foreach (Match quoted in RowsOf(table).SelectMany(row => Difference().Matches(Answer(row))))
            Assert.Contains($"| {quoted.Groups[1].Value} |", known, StringComparison.Ordinal);
    }

    [Fact]
    public void Case_ThatIsNamed_IsRecorded()
    {
        foreach (Match named in RowsOf("docs/waypoint-scenarios.md").SelectMany(row => Case().Matches(Answer(row))))
        {
            var (scenario, id) = (named.Groups[1].Value, named.Groups[2].Value);
            using var recorded = JsonDocument.Parse(Repository.Read($"{Fixtures}/{scenario}/cases.json"));
            var cases = recorded.RootElement.ValueKind == JsonValueKind.Array ? recorded.RootElement : recorded.RootElement.GetProperty("cases");
            Assert.Contains(cases.EnumerateArray(), c => c.GetProperty("id").GetString() == id);
        }
    }

    /// <summary>Event, status and metric of each bad day of a node or of the control plane, under the names that the code has for them.</summary>
    [Fact]
    public void BadDay_IsSaidInAllThreePlaces()
    {
        var days = Repository.Read("docs/istiod-scenarios.md").Split("### Where each is said")[1].Split('\n').Where(l => l.StartsWith("| ", StringComparison.Ordinal) && !Heading().IsMatch(l)).ToList();
        var code = string.Concat(Repository.SourceFiles.Where(f => !f.StartsWith("tests/", StringComparison.Ordinal)).Select(Repository.Read));
        Assert.True(days.Count >= 21, $"only {days.Count} days are found");
        Assert.All(days, day =>
        {
            var cells = day.Trim('|', ' ').Split(" | ");
            Assert.Equal(5, cells.Length);
            Assert.All(EventReason().Matches(cells[1]), reason => Assert.Matches($"(\"{reason.Groups[1].Value}\"|(NodeFault|PlaneFault)\\.{reason.Groups[1].Value}\\b)", code));
            Assert.Matches("outside|told|labels", cells[2]);
            var metrics = Metric().Matches(cells[3]);
            Assert.NotEmpty(metrics);
            Assert.All(metrics, metric => Assert.Contains($"\"{metric.Groups[1].Value}\"", code, StringComparison.Ordinal));
        });
    }

    private static string Answer(string row) => row.Split(" | ", 2)[1];

    [GeneratedRegex("\"([A-Z][A-Za-z]+)\"")]
    private static partial Regex EventReason();

    [GeneratedRegex("`([a-z_]+)`")]
    private static partial Regex Metric();

    [GeneratedRegex(@"^\| (scenario|fact|who) \|")]
    private static partial Regex Heading();

    [GeneratedRegex("`([A-Z][A-Za-z0-9]+Tests)\\.([A-Za-z0-9_]+)`")]
    private static partial Regex TestName();

    [GeneratedRegex("`probe:[a-z0-9_]+`")]
    private static partial Regex Scenario();

    [GeneratedRegex("`case:([0-9a-z-]+)/([0-9A-Za-z-]+)`")]
    private static partial Regex Case();

    [GeneratedRegex("differs: \"([^\"]+)\"")]
    private static partial Regex Difference();
}
