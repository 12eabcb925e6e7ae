using System.Globalization;

namespace Mesh.Runtime.Metrics;

/// <summary>What the kernel knows of this process, read from /proc at each scrape.</summary>
public static class ProcessMetrics
{
    public static void Register(MetricRegistry registry)
    {
        registry.SampledGauge("process_open_fds", "Number of open file descriptors", w => w.Write(OpenDescriptors()));
        registry.SampledGauge("process_max_fds", "Maximum number of file descriptors", w => w.Write(DescriptorLimit()));
        registry.SampledGauge("process_resident_memory_bytes", "Resident memory size (unstable)", w => w.Write(Environment.WorkingSet), unit: "bytes");
        registry.SampledGauge("process_managed_memory_bytes", "Memory committed by the managed heap (unstable)", w => w.Write(GC.GetGCMemoryInfo().TotalCommittedBytes), unit: "bytes");
        registry.SampledCounter("process_cpu_seconds", "User and system processor time (unstable)", w => w.Write(Environment.CpuUsage.TotalTime.TotalSeconds), unit: "seconds");
    }

    internal static long OpenDescriptors()
    {
        const string Folder = "/proc/self/fd";
        // The listing itself holds one descriptor while it is read.
        return Directory.Exists(Folder) ? Directory.EnumerateFileSystemEntries(Folder).LongCount() - 1 : 0;
    }

    internal static long DescriptorLimit()
    {
        const string File = "/proc/self/limits";
        if (!System.IO.File.Exists(File))
            return 0;
        // "Max open files            1024                 524288               files": the soft limit comes first.
        foreach (var line in System.IO.File.ReadLines(File))
        {
            if (!line.StartsWith("Max open files", StringComparison.Ordinal))
                continue;
            var soft = line["Max open files".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];
            return long.TryParse(soft, CultureInfo.InvariantCulture, out var limit) ? limit : long.MaxValue;
        }

        return 0;
    }
}
