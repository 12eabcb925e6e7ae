using System.Text.Json.Nodes;

namespace Mesh.IstiodLite.Tests;

/// <summary>What the real istiod made of a cluster state, we make of it too. Fixtures/wds/README.md says how it was recorded.</summary>
public sealed class WdsReplayTests
{
    private static readonly string _root = Path.Combine(AppContext.BaseDirectory, "Fixtures", "wds");

    /// <summary>Scenario to reason, from Fixtures/wds/differences.json: these differ knowingly.</summary>
    private static readonly Dictionary<string, Difference> _differences = Load();

    private sealed record Difference(string Reason, string[] Entries);

    public static TheoryData<string> Scenarios => [.. Directory.EnumerateDirectories(_root).Select(Path.GetFileName).OfType<string>().Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Scenarios))]
    public void Scenario_Translated_GivesWhatIstiodGave(string name)
    {
        var differences = new WdsScenario(name, Path.Combine(_root, name)).Compare();
        if (!_differences.TryGetValue(name, out var known))
        {
            Assert.True(differences.Count == 0, string.Join('\n', differences));
            return;
        }
        Assert.True(differences.Count > 0, $"{name} is listed as different ({known.Reason}), but it is equal now: remove it from the list");
        Assert.All(differences, d => Assert.True(known.Entries.Any(e => d.StartsWith(e + ":", StringComparison.Ordinal)), $"another difference than the known one:\n{d}"));
    }

    private static Dictionary<string, Difference> Load()
    {
        var result = new Dictionary<string, Difference>(StringComparer.Ordinal);
        var path = Path.Combine(_root, "differences.json");
        foreach (var (name, node) in JsonNode.Parse(File.ReadAllText(path))!.AsObject())
            result[name] = new Difference((string)node!["reason"]!, [.. node["entries"]!.AsArray().Select(e => (string)e!)]);
        return result;
    }
}
