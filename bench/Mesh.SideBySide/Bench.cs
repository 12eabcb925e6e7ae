using Mesh.SideBySide.Measuring;
using Mesh.SideBySide.Reporting;
using Mesh.SideBySide.Rig;

namespace Mesh.SideBySide;

/// <summary>(1) which rows  (2) the rig  (3) the rounds  (4) the table, on the screen and in a dated file. The figures never decide the exit code.</summary>
internal static class Bench
{
    public static async Task<int> RunAsync(RunOptions options)
    {
        // (1)
        var only = options.Only.ToList();
        var rows = Rows.All.Where(r => only.Count == 0 || only.Any(o => r.Name.Contains(o, StringComparison.OrdinalIgnoreCase))).ToList();
        if (options.List || rows.Count == 0)
        {
            foreach (var row in Rows.All)
                Console.WriteLine(row.Name);
            return options.List ? 0 : 64;
        }

        if (options.Quick)
            (options.Rounds, options.Seconds) = (1, 2);

        try
        {
            // (2)
            await using var setup = new Setup(options);
            await setup.BuildAsync();
            if (options.Keep)
                Console.WriteLine($"configurations and logs: {setup.Folder}");

            // (3)
            var plan = rows.SelectMany(r => r.Needs).ToList();
            if (only.Count == 0 && !options.Quick && !options.Brief)
                plan.AddRange(Rows.Beside);
            foreach (var added in options.Peers.Select(PeerFile.Read))
                plan.AddRange(plan.Where(p => p.Peer == (added.Kind == "http" ? "nginx-http" : "haproxy")).Select(p => (added.Name, p.Work)).ToList());
            var results = await Rounds.RunAsync(setup, plan, options.Rounds, options.Seconds, Console.WriteLine);

            // (4)
            Console.WriteLine();
            Console.Write(Table.ToText(results, rows));
            if (only.Count == 0 && !options.Quick)
                await WriteAsync(options, Table.ToMarkdown(results, rows, await Machine.DescribeAsync(options.Root), options, DateTimeOffset.UtcNow));
            return 0;
        }
        catch (Exception e)
        {
            // Every kind: an exception that escapes Main would leave the rig standing.
            await Console.Error.WriteLineAsync($"bench: {(e is BenchException ? e.Message : e)}");
            return 70;
        }
    }

    private static async Task WriteAsync(RunOptions options, string markdown)
    {
        var folder = options.Results ?? Path.Combine(options.Root, "bench/results");
        Directory.CreateDirectory(folder);
        var file = Path.Combine(folder, $"{DateTimeOffset.UtcNow:yyyy-MM-dd-HHmm}.md");
        await File.WriteAllTextAsync(file, markdown);
        Console.WriteLine($"\nwritten to {Path.GetRelativePath(Environment.CurrentDirectory, file)}");
    }
}
