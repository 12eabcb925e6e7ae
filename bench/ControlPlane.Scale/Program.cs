using System.Diagnostics;
using CommandLine;

namespace Mesh.ControlPlane.Scale;

/// <summary>
/// How a control plane under load serves its agents: (1) load  (2) one agent alone  (3) all agents at once  (4) rounds of changes. Everything on this machine, the
/// control plane in a process of its own.
/// </summary>
internal static class Program
{
    private const int SingleSyncs = 5;

    private static async Task<int> Main(string[] arguments) =>
        await Parser.Default.ParseArguments<ScaleOptions>(arguments).MapResult(RunAsync, _ => Task.FromResult(64));

    private static async Task<int> RunAsync(ScaleOptions options)
    {
        var root = Directory.CreateTempSubdirectory("mesh-scale-").FullName;
        try
        {
            var folder = new MeshFolder(Path.Combine(root, "config"), options.Services);
            folder.WriteAll(options.Pods);
            var report = new Report();
            await MeasureAsync(options, folder, Path.Combine(root, "state"), report);
            Console.WriteLine($"{options.Pods:N0} pods, {options.Services:N0} services, {options.Agents} agents, {options.Rate} changes/s, {Environment.ProcessorCount} cores for control plane, agents and writer");
            report.Print(Console.Out);
            if (options.Append is { } path)
                report.Append(path, options);
            return 0;
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private static async Task MeasureAsync(ScaleOptions options, MeshFolder folder, string state, Report report)
    {
        double? Goal(double goal) => options.IsGoalSize ? goal : null;

        // (1)
        using var server = await ServerProcess.StartAsync(folder.Root, state);
        report.Add("load, start to listening", "s", null, server.Loaded.TotalSeconds);
        report.Add("resident after load", "MB", Goal(200), server.ResidentMegabytes);
        var token = await server.TokenAsync();

        // (2)
        var single = new List<double>();
        var expected = 0;
        for (var i = 0; i < SingleSyncs; i++)
        {
            await using var agent = new Agent(server, token, _ => { });
            var began = Stopwatch.GetTimestamp();
            expected = await agent.SyncAsync();
            single.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }

        report.Add("first sync of one agent", "ms", Goal(50), [.. single]);

        // (3)
        var stalled = Enumerable.Range(0, options.Stalled).Select(_ => new Agent(server, token, _ => { })).ToList();
        await Task.WhenAll(stalled.Select(a => a.StallAsync()));
        var churn = new Churn(folder, options);
        var agents = Enumerable.Range(0, options.Agents).Select(_ => new Agent(server, token, churn.Received)).ToList();
        var processor = server.Processor;
        var start = Stopwatch.GetTimestamp();
        var counts = await Task.WhenAll(agents.Select(a => Task.Run(a.SyncAsync)));
        report.Add("all agents at once", "s", Goal(3), Stopwatch.GetElapsedTime(start).TotalSeconds);
        foreach (var reason in agents.GroupBy(a => a.Reason, StringComparer.Ordinal).Where(r => r.Key is not null))
            Console.Error.WriteLine($"{reason.Count()} agents connected again: {reason.Key}");
        report.Add("connections made again", "agents", null, agents.Count(a => a.Retries > 0));
        report.Add("processor time of it", "s", null, (server.Processor - processor).TotalSeconds);
        report.Add("resident after it", "MB", Goal(300), server.ResidentMegabytes);
        if (counts.Any(c => c != expected))
            throw new InvalidOperationException($"an agent was sent {counts.First(c => c != expected)} resources instead of {expected}");

        // (4)
        List<double> half = [], tail = [], cores = [];
        for (var round = 0; round < options.Rounds; round++)
        {
            var (used, at) = (server.Processor, Stopwatch.GetTimestamp());
            var milliseconds = await churn.RunAsync();
            cores.Add((server.Processor - used).TotalSeconds / Stopwatch.GetElapsedTime(at).TotalSeconds);
            half.Add(milliseconds[milliseconds.Length / 2]);
            tail.Add(milliseconds[milliseconds.Length * 99 / 100]);
        }

        report.Add("change to last agent, p50", "ms", Goal(20), [.. half]);
        report.Add("change to last agent, p99", "ms", Goal(80), [.. tail]);
        report.Add("processor under changes", "cores", Goal(0.35), [.. cores]);
        report.Add("resident at the end", "MB", null, server.ResidentMegabytes);
        foreach (var agent in agents)
        {
            if (agent.Failure is { } failure)
                throw new InvalidOperationException("an agent lost its stream", failure);
        }

        await Task.WhenAll(agents.Concat(stalled).Select(a => a.DisposeAsync().AsTask()));
    }
}
