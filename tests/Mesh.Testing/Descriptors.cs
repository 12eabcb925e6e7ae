using System.Diagnostics;
using System.Globalization;

namespace Mesh.Testing;

/// <summary>How many sockets a test may hold at once.</summary>
public static class Descriptors
{
    /// <summary>What the test host, the runtime and other tests need.</summary>
    private const int Reserve = 2000;

    /// <summary>
    /// <paramref name="wanted"/>, or as many as the process's descriptors allow. Where it may, the process is given more first (root, <c>prlimit</c>).
    /// </summary>
    /// <param name="each">Descriptors of one unit.</param>
    public static int Allow(int wanted, int each)
    {
        var needed = (wanted * each) + Reserve;
        if (Limit() < needed && Prerequisites.MissingRoot() is null && Prerequisites.FindTool("prlimit") is { } prlimit)
        {
            using var process = Process.Start(prlimit, ["--pid", $"{Environment.ProcessId}", $"--nofile={needed}:{needed}"]);
            process.WaitForExit();
        }

        return Math.Clamp((Limit() - Reserve) / each, 1, wanted);
    }

    private static int Limit()
    {
        var line = File.ReadLines("/proc/self/limits").First(l => l.StartsWith("Max open files", StringComparison.Ordinal));
        var soft = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3];
        return int.TryParse(soft, CultureInfo.InvariantCulture, out var limit) ? limit : int.MaxValue;
    }
}
