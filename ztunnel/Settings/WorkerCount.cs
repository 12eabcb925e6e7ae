using System.Globalization;
using Mesh.Runtime;

namespace Mesh.Ztunnel.Settings;

/// <summary>How many event loops: what is asked for, else what the container is given, else a modest share of a large machine.</summary>
internal static class WorkerCount
{
    private const int Least = 1;

    public static int Read(EnvironmentSettings env, int? concurrency, int processors)
    {
        var cpus = env.OptionalInteger("ZTUNNEL_CPU_LIMIT", 1) ?? processors;
        var limit = env.Processors("ZTUNNEL_RESOURCE_CPU_LIMIT");
        var request = env.Processors("ZTUNNEL_RESOURCE_CPU_REQUEST") ?? 0;
        if (env.Text("ZTUNNEL_WORKER_THREADS") is { } wanted)
            return Parse(env, wanted, cpus);
        if (concurrency is { } configured)
            return configured == 0 ? cpus : configured;
        if (limit is { } given)
            return Math.Max(Least, Math.Max(given, request));
        return Math.Max((int)Math.Ceiling(cpus * 0.25), Math.Max(request, 2));
    }

    /// <summary>A number (0: all processors) or a share such as <c>50%</c>.</summary>
    internal static int Parse(EnvironmentSettings env, string text, int cpus)
    {
        if (text.EndsWith('%'))
        {
            if (double.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var share) && share is > 0 and <= 100)
                return Math.Max(Least, (int)Math.Ceiling(cpus * share / 100));
        }
        else if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count))
        {
            return count == 0 ? cpus : count;
        }
        env.Fail($"ZTUNNEL_WORKER_THREADS is '{text}'; it must be a number, 0 for all processors, or a share from 1% to 100%");
        return Least;
    }
}
