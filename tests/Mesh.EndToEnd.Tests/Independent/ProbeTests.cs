using System.Text.RegularExpressions;

using Mesh.EndToEnd.Tests.Harness;
using Xunit.Abstractions;

namespace Mesh.EndToEnd.Tests.Independent;

/// <summary>Our ztunnel as a black box under the independent probe: what it puts on the wire, into the log and into the metrics, how it starts, stops and bears hostile input.</summary>
public sealed class ProbeTests(ITestOutputHelper output)
{
    /// <summary>The probe's own groups; one test each, so that a report names the area.</summary>
    private static readonly string[] AllGroups = ["basic", "rbac", "service", "waypoint", "dns", "outbound", "inbound", "lifecycle", "hostile"];

    public static readonly TheoryData<string> Groups = new(AllGroups);

    /// <summary>Counted draws and measured times: the probe itself says to run these alone before believing them on a loaded machine. Everything else is believed at once.</summary>
    private static readonly HashSet<string> DependOnLoad = new(StringComparer.Ordinal) { "svc_lb", "svc_capacity", "drain_forced", "cert_rotation", "upgrade_overlap", "in_ping" };

    [ProbeTheory]
    [MemberData(nameof(Groups))]
    public async Task Ztunnel_UnderTheProbe_DoesWhatEachScenarioDemands(string group)
    {
        var failed = (await Probe.RunAsync("--group", group)).Where(v => !v.Passed).ToList();
        if (failed.Count > 0 && failed.TrueForAll(v => DependOnLoad.Contains(v.Name)))
        {
            failed.ForEach(v => output.WriteLine($"once more, alone: {v}"));
            failed = [.. (await Probe.RunAsync("--only", string.Join(',', failed.Select(v => v.Name)))).Where(v => !v.Passed)];
        }

        Assert.True(failed.Count == 0, $"{failed.Count} scenarios of {group} failed:\n{string.Join('\n', failed)}");
    }

    [ProbeFact]
    public async Task Groups_TogetherWithTheProbesOwnList_LeaveNothingOut() =>
        Assert.Equal((await Probe.ListAsync()).Select(s => s.Group).Distinct().Order(StringComparer.Ordinal), AllGroups.Order(StringComparer.Ordinal));

    /// <summary>The table of scenarios names those that exist; that the tests in it exist is checked where the architecture is.</summary>
    [ProbeFact]
    public async Task Scenarios_OfTheTable_Exist()
    {
        var known = (await Probe.ListAsync()).Select(s => s.Name).ToHashSet(StringComparer.Ordinal);
        var named = Regex.Matches(await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "ztunnel-scenarios.md")), "`probe:([a-z0-9_]+)`").Select(m => m.Groups[1].Value).ToList();
        Assert.NotEmpty(named);
        Assert.All(named, name => Assert.Contains(name, known));
    }
}
