using System.Globalization;
using System.Text;
using Mesh.SideBySide.Reporting;
using Mesh.SideBySide.Rig;

namespace Mesh.SideBySide.Growth;

/// <summary>(1) which axes  (2) the rig  (3) each axis from few to many  (4) a plot each, and one dated page with the slopes in words.</summary>
internal static class GrowthBench
{
    public static async Task<int> RunAsync(GrowthOptions options)
    {
        // (1)
        var only = options.Only.ToList();
        var axes = Axis.All.Where(a => only.Count == 0 || only.Contains(a.Name, StringComparer.OrdinalIgnoreCase)).ToList();
        if (axes.Count == 0)
        {
            await Console.Error.WriteLineAsync($"axes: {string.Join(", ", Axis.All.Select(a => a.Name))}");
            return 64;
        }

        var folder = options.Results ?? Path.Combine(options.Root, "bench/results");
        var when = DateTimeOffset.UtcNow;
        var stamp = $"{when:yyyy-MM-dd-HHmm}-growth";
        Directory.CreateDirectory(folder);
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $"# How cost grows, {when:yyyy-MM-dd HH:mm} UTC\n\n");
        foreach (var line in await Machine.DescribeAsync(options.Root))
            page.Append("- ").Append(line).Append('\n');
        page.Append(CultureInfo.InvariantCulture, $"- one measurement of {options.Seconds} s per point\n");
        try
        {
            foreach (var axis in axes)
            {
                // (2) anew for each: nothing of one axis is in the next
                await using var setup = new Setup(new RunOptions { Root = options.Root });
                await setup.BuildAsync();
                await MeasureAsync(axis, setup, options, Path.Combine(folder, $"{stamp}-{axis.Name}.svg"), page);
            }
        }
        catch (Exception e)
        {
            await Console.Error.WriteLineAsync($"bench: {(e is BenchException ? e.Message : e)}");
            return 70;
        }

        var file = Path.Combine(folder, stamp + ".md");
        await File.WriteAllTextAsync(file, page.ToString());
        Console.WriteLine($"written to {Path.GetRelativePath(Environment.CurrentDirectory, file)}");
        return 0;
    }

    private static async Task MeasureAsync(Axis axis, Setup setup, GrowthOptions options, string file, StringBuilder page)
    {
        // (3)
        var points = new List<(double X, double Y)>();
        var highest = options.Most > 0 ? options.Most : int.MaxValue;
        foreach (var count in axis.Counts.Where(c => c <= highest))
        {
            var cost = await axis.MeasureAsync(setup, count, options.Seconds);
            points.Add((count, cost));
            Console.WriteLine($"{axis.Name,-12} {count,7:#,0}  {Format.Number(cost)}");
        }

        // (4)
        var words = Slope.Of(points).InWords(axis.Name);
        Console.WriteLine($"{axis.Name,-12} {words}");
        await File.WriteAllTextAsync(file, Plot.Draw($"{axis.Cost}, by {axis.What}", words, axis.What, axis.Cost, points));
        page.Append(CultureInfo.InvariantCulture, $"\n## {axis.Name}\n\n{words}.\n\n![{axis.Name}]({Path.GetFileName(file)})\n\n| {axis.What} | {axis.Cost} |\n|---|---|\n");
        foreach (var (x, y) in points)
            page.Append(CultureInfo.InvariantCulture, $"| {x:#,0} | {Format.Number(y)} |\n");
    }
}
