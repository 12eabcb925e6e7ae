using System.Globalization;

namespace Mesh.SideBySide.Rig;

/// <summary>What /proc says about processes and their children.</summary>
internal static class ProcessFacts
{
    private const double TicksPerSecond = 100; // USER_HZ, the same on every Linux that .NET runs on

    /// <summary>User and kernel time. Work that the kernel does for them in interrupt context on another process's time is not in it.</summary>
    public static TimeSpan Cpu(IEnumerable<int> roots) => TimeSpan.FromSeconds(Family(roots).Sum(p => p.Ticks) / TicksPerSecond);

    /// <summary>Resident memory in bytes.</summary>
    public static long Resident(int root) => Family([root]).Sum(p => Status(p.Id, "VmRSS:") * 1024);

    /// <summary>The part of it that is nobody's file: heaps and stacks, without code.</summary>
    public static long Anonymous(int root) => Family([root]).Sum(p => Status(p.Id, "RssAnon:") * 1024);

    /// <summary>Open files and sockets of the process itself.</summary>
    public static int Descriptors(int id) => Directory.GetFileSystemEntries($"/proc/{id}/fd").Length;

    private static List<(int Id, long Ticks)> Family(IEnumerable<int> roots)
    {
        var children = new Dictionary<int, List<int>>();
        var ticks = new Dictionary<int, long>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out var id) || TryStat(id) is not { } stat)
                continue;
            ticks[id] = stat.Ticks;
            (children.TryGetValue(stat.Parent, out var list) ? list : children[stat.Parent] = []).Add(id);
        }

        var found = new List<(int, long)>();
        var open = new Stack<int>(roots);
        while (open.TryPop(out var id))
        {
            found.Add((id, ticks.GetValueOrDefault(id)));
            foreach (var child in children.GetValueOrDefault(id, []))
                open.Push(child);
        }

        return found;
    }

    private static (int Parent, long Ticks)? TryStat(int id)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{id}/stat");
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return (int.Parse(fields[1], CultureInfo.InvariantCulture), long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            return null; // it ended meanwhile
        }
    }

    private static long Status(int id, string key)
    {
        try
        {
            var line = File.ReadLines($"/proc/{id}/status").FirstOrDefault(l => l.StartsWith(key, StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line[key.Length..].Replace("kB", string.Empty, StringComparison.Ordinal), CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
