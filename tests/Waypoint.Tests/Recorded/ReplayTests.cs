using Xunit.Abstractions;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>
/// The recorded behaviour of Istio's waypoint replayed against ours through real tunnels, configured by our control plane's translation of the same
/// documents. Every case is played; what does not agree stands in KnownDifferences.txt with its reason. An entry that agrees again is an error too,
/// so the list cannot rot.
/// </summary>
public sealed class ReplayTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("01-canary-weights")]
    [InlineData("06-matching")]
    [InlineData("07-route-actions")]
    [InlineData("08-authorization")]
    [InlineData("09-jwt")]
    [InlineData("10-load-balancing")]
    [InlineData("11-httproute")]
    [InlineData("12-protocol")]
    [InlineData("13-hbone-upstream")]
    [InlineData("14-path-merge-slashes")]
    [InlineData("15-path-decode-and-merge-slashes")]
    public async Task Scenario_Replayed_BehavesAsRecorded(string name) => (await Replayer.PlayAsync(name)).Check(output);

    [Fact]
    public void Scenarios_OfTheFixtures_AreAllReplayed()
    {
        string[] replayed =
        [
            .. typeof(ReplayTests).GetMethod(nameof(Scenario_Replayed_BehavesAsRecorded))!.GetCustomAttributesData()
                .Where(a => a.AttributeType == typeof(InlineDataAttribute))
                .Select(a => (string)((IEnumerable<System.Reflection.CustomAttributeTypedArgument>)a.ConstructorArguments[0].Value!).First().Value!),
            .. TimedReplays.Names,
        ];
        Assert.Equal(replayed.Order(StringComparer.Ordinal), Directory.GetDirectories(Scenario.FolderOf(string.Empty)).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void KnownDifferences_NameCasesThatExist_WithAReason() => Assert.All(KnownDifferences.All(), d =>
    {
        Assert.Contains(Scenario.Load(d.Scenario).Cases, c => (string?)c["id"] == d.Case);
        Assert.True(d.Difference.Reason.Length > 10, $"{d.Scenario}/{d.Case} has no reason");
    });
}

/// <summary>The scenarios that mostly wait, all at the same time.</summary>
public sealed class TimedReplays
{
    internal static readonly string[] Names = ["02-retries", "03-timeouts", "04-connection-pool", "05-outlier-detection"];

    private readonly Dictionary<string, Task<ReplayOutcome>> _running = Names.ToDictionary(n => n, n => Replayer.PlayAsync(n));

    internal Task<ReplayOutcome> Of(string name) => _running[name];
}

public sealed class TimedReplayTests(TimedReplays replays, ITestOutputHelper output) : IClassFixture<TimedReplays>
{
    public static TheoryData<string> Names => [.. TimedReplays.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Scenario_Replayed_BehavesAsRecorded(string name) => (await replays.Of(name)).Check(output);
}
