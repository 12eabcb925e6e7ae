using System.Text.RegularExpressions;

namespace Mesh.Architecture.Tests;

/// <summary>The table of the Rust ztunnel's scenarios names tests that exist, and differences that are written down.</summary>
public sealed partial class ScenarioTableTests
{
    private const string Table = "docs/ztunnel-scenarios.md";

    private static readonly List<string> Rows =
        [.. Repository.Read(Table).Split('\n').Where(l => l.StartsWith("| ", StringComparison.Ordinal) && !l.StartsWith("| scenario |", StringComparison.Ordinal))];

    [Fact]
    public void Row_NamesAtLeastOneTestOrDifference()
    {
        Assert.True(Rows.Count > 100, $"only {Rows.Count} rows are found: has the form of the table changed?");
        Assert.All(Rows, row => Assert.True(TestName().IsMatch(Answer(row)) || Scenario().IsMatch(Answer(row)), row));
    }

    [Fact]
    public void Test_ThatIsNamed_Exists()
    {
        var files = Repository.SourceFiles.Where(f => f.StartsWith("tests/", StringComparison.Ordinal)).ToLookup(f => Path.GetFileNameWithoutExtension(f), StringComparer.Ordinal);
        foreach (Match name in Rows.SelectMany(row => TestName().Matches(Answer(row))))
        {
            var (type, method) = (name.Groups[1].Value, name.Groups[2].Value);
            Assert.True(
                files[type].Any(f => Regex.IsMatch(Repository.Read(f), $@"public (async )?(Task|void|bool|Property) {method}\(")),
                $"{Table} names {type}.{method}, which is no test");
        }
    }

    [Fact]
    public void Difference_ThatIsNamed_HasItsRow()
    {
        var known = Repository.Read("docs/compatibility.md");
        foreach (Match quoted in Rows.SelectMany(row => Difference().Matches(Answer(row))))
            Assert.Contains($"| {quoted.Groups[1].Value} |", known, StringComparison.Ordinal);
    }

    private static string Answer(string row) => row.Split(" | ", 2)[1];

    [GeneratedRegex("`([A-Z][A-Za-z0-9]+Tests)\\.([A-Za-z0-9_]+)`")]
    private static partial Regex TestName();

    [GeneratedRegex("`probe:[a-z0-9_]+`")]
    private static partial Regex Scenario();

    [GeneratedRegex("differs: \"([^\"]+)\"")]
    private static partial Regex Difference();
}
