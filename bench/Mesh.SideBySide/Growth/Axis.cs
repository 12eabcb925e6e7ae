using Mesh.SideBySide.Load;
using Mesh.SideBySide.Measuring;
using Mesh.SideBySide.Rig;

namespace Mesh.SideBySide.Growth;

/// <summary>One thing there is more and more of, and the cost that is watched meanwhile.</summary>
internal sealed record Axis(string Name, string What, string Cost, IReadOnlyList<int> Counts, Func<Setup, int, int, Task<double>> MeasureAsync)
{
    private const double Mega = 1024 * 1024;
    private const string Node = "ztunnel-same-node";

    public static IReadOnlyList<Axis> All { get; } =
    [
        new("connections", "idle connections", "resident memory of the larger ztunnel, MB", [1, 100, 1000, 5000, 10_000, 25_000, 50_000], async (setup, count, _) =>
        {
            await setup.StopAsync("ztunnel");
            var peer = await setup.PeerAsync("ztunnel");
            await using var holder = await IdleHolder.StartAsync(setup, peer, count);
            await Task.Delay(TimeSpan.FromSeconds(6)); // the burst's garbage is collected once the process is quiet
            return peer.Own.Max(p => ProcessFacts.Resident(p.Process.Id)) / Mega;
        }),
        new("pods", "pods of one node, without traffic", "resident memory of the node's ztunnel, MB", [1, 10, 50, 100, 250], async (setup, count, _) =>
        {
            await setup.StopAsync(Node);
            var peer = await setup.PeerAsync(Node);
            await using var pods = new NodePods();
            await pods.AddAsync(setup, Path.Combine(setup.Folder, Node, "pods.json"), count);
            await Task.Delay(TimeSpan.FromSeconds(6)); // as above
            return ProcessFacts.Resident(peer.Own[0].Process.Id) / Mega;
        }),
        Documents("services", "services", MeshDocuments.Services, [10, 100, 1000, 10_000, 50_000], "ztunnel", new HttpWork(16, NewConnections: true), "CPU of the pair per new connection, us"),
        Documents("workloads", "workloads on other nodes", MeshDocuments.Pods, [10, 100, 1000, 10_000], "ztunnel", new HttpWork(16, NewConnections: true), "CPU of the pair per new connection, us"),
        Documents("policies", "policies of the destination, the last of which allows", MeshDocuments.Policies, [1, 10, 100, 1000, 10_000], "ztunnel", new HttpWork(16, NewConnections: true), "CPU of the pair per new connection, us"),
        Documents("routes", "routes of the service, the last of which matches", MeshDocuments.Routes, [1, 10, 100, 1000, 10_000], "waypoint-rules", new HttpWork(64), "CPU of ztunnel, waypoint, ztunnel per request, us", keep: "routes"),
    ];

    /// <param name="keep">The document that is replaced and not taken away afterwards; null: one of its own.</param>
    private static Axis Documents(string name, string what, Func<int, string> yaml, IReadOnlyList<int> counts, string peer, Work work, string cost, string? keep = null) =>
        new(name, what, cost, counts, async (setup, count, seconds) =>
        {
            var running = await setup.PeerAsync(peer);
            await setup.Network.CaptureAsync(running.File.Capture);
            await setup.Control.ApplyAsync(keep ?? "growth", yaml(count));
            await setup.Control.SettleAsync();
            await Quiet.UntilAsync(running);
            await work.RunAsync(setup, running, 1);
            var sample = await work.RunAsync(setup, running, seconds);
            await setup.Control.ApplyAsync(keep ?? "growth", keep is null ? string.Empty : yaml(1));
            await setup.Control.SettleAsync();
            await Quiet.UntilAsync(running);
            return sample["cpu"];
        });
}
