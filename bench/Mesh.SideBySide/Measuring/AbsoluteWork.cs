using Mesh.SideBySide.Load;
using Mesh.SideBySide.Rig;

namespace Mesh.SideBySide.Measuring;

/// <summary>Memory and start-up: each measurement starts the peer anew, so that nothing of an earlier one is in it.</summary>
internal sealed record AbsoluteWork(string Name, Func<Setup, Peer, Task<double>> Measure) : Work
{
    private const double Mega = 1024 * 1024;
    private const int IdleConnections = 10_000;

    /// <summary>Long enough for what start-up left to be collected.</summary>
    private static readonly TimeSpan s_settle = TimeSpan.FromSeconds(3);

    public static AbsoluteWork AgentIdle { get; } = new("resident-idle", async (_, peer) =>
    {
        await Task.Delay(s_settle);
        return Resident(peer);
    });

    public static AbsoluteWork WaypointIdle { get; } = AgentIdle;

    public static AbsoluteWork AgentIdleConnections { get; } = new("resident-10k", async (setup, peer) =>
    {
        await Task.Delay(s_settle);

        // The first connections pay for what every process that serves has in memory; only the growth by the others is theirs.
        await using var first = await IdleHolder.StartAsync(setup, peer, 64);
        await Task.Delay(s_settle);
        var before = Resident(peer);
        await using var holder = await IdleHolder.StartAsync(setup, peer, IdleConnections);
        await Task.Delay(s_settle + s_settle);
        return Resident(peer) - before;
    });

    public static AbsoluteWork AgentStart { get; } = new("start", (_, peer) => Task.FromResult(peer.StartTimes.Values.Max().TotalMilliseconds));

    public static AbsoluteWork WaypointBusy { get; } = new("resident-busy", async (setup, peer) =>
    {
        var load = new HttpWork(64).RunAsync(setup, peer, 6);
        await Task.Delay(TimeSpan.FromSeconds(5));
        var resident = Resident(peer);
        await load;
        return resident;
    });

    public override string Key => Name;

    public override async Task<Sample> RunAsync(Setup setup, Peer peer, int seconds)
    {
        await setup.StopAsync(peer.Name);
        var fresh = await setup.PeerAsync(peer.Name);
        return new Sample { ["value"] = await Measure(setup, fresh) };
    }

    /// <summary>The larger of its sides.</summary>
    private static double Resident(Peer peer) => peer.Own.Max(p => ProcessFacts.Resident(p.Process.Id)) / Mega;
}
