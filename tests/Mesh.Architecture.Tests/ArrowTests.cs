using System.Text.RegularExpressions;

namespace Mesh.Architecture.Tests;

/// <summary>Project references against the table in docs/ARCHITECTURE.md: the document is the specification.</summary>
public sealed partial class ArrowTests
{
    [Fact]
    public void ProjectReferences_OfEveryProductProject_AreTheTableInArchitectureMd()
    {
        var table = ReadTable();
        var actual = Repository.Projects
            .Where(p => Repository.IsProduct(p))
            .ToDictionary(p => Path.GetFileNameWithoutExtension(p), References, StringComparer.Ordinal);

        Assert.Equal(table.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
        foreach (var (project, allowed) in table)
            Assert.True(allowed.SetEquals(actual[project]),
                $"{project} references [{string.Join(", ", actual[project])}], docs/ARCHITECTURE.md says [{string.Join(", ", allowed)}]");
    }

    [Fact]
    public void ProjectReferences_NeverPointToAnApp()
    {
        string[] apps = ["Ztunnel", "Waypoint", "IstiodLite", "Meshctl"];
        foreach (var project in Repository.Projects.Where(Repository.IsProduct))
            Assert.Empty(References(project).Intersect(apps, StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("ztunnel/Outbound", "Inbound", "Dns")]
    [InlineData("ztunnel/Inbound", "Outbound", "Dns")]
    [InlineData("ztunnel/Dns", "Inbound", "Outbound")]
    [InlineData("ztunnel/Forwarding", "Inbound", "Outbound", "Pods", "Admin", "Dns")]
    public void ZtunnelFolders_OfOneDirection_DoNotKnowTheOthers(string folder, params string[] strangers)
    {
        foreach (var file in Repository.SourceFiles.Where(f => f.StartsWith(folder + "/", StringComparison.Ordinal)))
        {
            var text = Repository.Read(file);
            foreach (var stranger in strangers)
                Assert.False(text.Contains($"using Mesh.Ztunnel.{stranger}", StringComparison.Ordinal), $"{file} must not use Mesh.Ztunnel.{stranger}");
        }
    }

    [Fact]
    public void Http2Engine_KnowsNoSocketsTlsOrClock()
    {
        string[] banned = ["System.Net.Sockets", "System.Net.Security", "TimeProvider", "DateTime", "Stopwatch", "new Thread("];
        foreach (var file in Repository.SourceFiles.Where(f => f.StartsWith("lib/Mesh.Http2/", StringComparison.Ordinal)))
        {
            var code = StripComments(Repository.Read(file));
            foreach (var word in banned)
                Assert.False(code.Contains(word, StringComparison.Ordinal), $"{file} contains {word}: the engine is sans-I/O");
        }
    }

    internal static string StripComments(string text) => LineComment().Replace(text, string.Empty);

    private static HashSet<string> References(string project) =>
        [.. ProjectReference().Matches(Repository.Read(project)).Select(m => Path.GetFileNameWithoutExtension(m.Groups[1].Value))];

    /// <summary>Rows of the form <c>| `Mesh.Hbone` | `Mesh.Net`, `Mesh.Http2` | ... |</c> under the heading "Arrows".</summary>
    private static Dictionary<string, HashSet<string>> ReadTable()
    {
        var section = Repository.Read("docs/ARCHITECTURE.md").Split("## Arrows")[1].Split("\n## ")[0];
        var rows = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        foreach (var line in section.Split('\n').Where(l => l.StartsWith("| `", StringComparison.Ordinal)))
        {
            var cells = line.Split('|');
            rows[Names().Match(cells[1]).Groups[1].Value] = [.. Names().Matches(cells[2]).Select(m => m.Groups[1].Value)];
        }

        return rows;
    }

    [GeneratedRegex("<ProjectReference Include=\"([^\"]+)\"")]
    private static partial Regex ProjectReference();

    [GeneratedRegex("`([A-Za-z0-9.]+)`")]
    private static partial Regex Names();

    [GeneratedRegex("//.*$", RegexOptions.Multiline)]
    private static partial Regex LineComment();
}
