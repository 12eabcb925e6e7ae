using System.Runtime.InteropServices;
using Mesh.SideBySide.Rig;

namespace Mesh.SideBySide.Reporting;

/// <summary>What the figures were measured on, in words that identify the kind of machine and not the machine.</summary>
internal static class Machine
{
    public static async Task<IReadOnlyList<string>> DescribeAsync(string root)
    {
        var processor = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "?";
        var memory = long.Parse(File.ReadLines("/proc/meminfo").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) / (1024 * 1024);
        var virtualised = File.ReadLines("/proc/cpuinfo").Any(l => l.StartsWith("flags", StringComparison.Ordinal) && l.Contains(" hypervisor", StringComparison.Ordinal));
        return
        [
            $"{Environment.ProcessorCount} cores of {processor}{(virtualised ? " (virtual machine)" : string.Empty)}, {memory} GB",
            $"Linux {string.Join('.', Environment.OSVersion.Version.ToString().Split('.').Take(2))}, {RuntimeInformation.FrameworkDescription}, {await FirstLine("openssl", "version")}",
            $"{await FirstLine("haproxy", "-v")}; {await FirstLine("nginx", "-v")}; {await FirstLine("wrk", "-v")}; {await FirstLine("iperf3", "-v")}",
            $"congestion control {Network.CongestionControl}",
            $"commit {await FirstLine("git", "-C", root, "rev-parse", "--short", "HEAD")}",
        ];
    }

    private static async Task<string> FirstLine(params string[] command)
    {
        try
        {
            // Some say it on standard error, wrk with a failure.
            var text = await Tool.RunAsync(["sh", "-c", "\"$@\" 2>&1 | head -1", "version", .. command]);
            return text.Trim().Split(" - ")[0].Split(" Copyright")[0];
        }
        catch (BenchException)
        {
            return $"{command[0]} ?";
        }
    }
}
