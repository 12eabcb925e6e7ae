using Xunit.Abstractions;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>Every scenario with our node agent as the client's, a few at the same time.</summary>
public sealed class ZtunnelReplays : IDisposable
{
    private const int AtOnce = 3;

    internal static readonly string[] Names =
    [
        "01-canary-weights", "02-retries", "03-timeouts", "04-connection-pool", "05-outlier-detection", "06-matching", "07-route-actions", "08-authorization",
        "09-jwt", "10-load-balancing", "11-httproute", "12-protocol", "13-hbone-upstream", "14-path-merge-slashes", "15-path-decode-and-merge-slashes",
    ];

    private readonly SemaphoreSlim _places = new(AtOnce);
    private readonly Dictionary<string, Task<ReplayOutcome>> _running;

    public ZtunnelReplays() => _running = Names.ToDictionary(n => n, PlayAsync);

    public void Dispose() => _places.Dispose();

    internal Task<ReplayOutcome> Of(string name) => _running[name];

    private async Task<ReplayOutcome> PlayAsync(string name)
    {
        await _places.WaitAsync();
        try
        {
            return await Replayer.PlayThroughZtunnelAsync(name);
        }
        finally
        {
            _places.Release();
        }
    }
}

public sealed class ZtunnelReplayTests(ZtunnelReplays replays, ITestOutputHelper output) : IClassFixture<ZtunnelReplays>
{
    public static TheoryData<string> Names => [.. ZtunnelReplays.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Scenario_ReplayedWithOurNodeAgentInFront_BehavesAsRecorded(string name) => (await replays.Of(name)).Check(output);
}
