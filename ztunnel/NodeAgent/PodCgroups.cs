using System.Globalization;

namespace Mesh.Ztunnel.NodeAgent;

/// <summary>
/// Which processes belong to a pod, from the names of control groups: kubelet puts <c>pod UID</c> into them, with dashes (cgroupfs driver) or
/// underscores (systemd driver), whatever the container runtime is.
/// </summary>
/// <param name="cgroupRoot">The node's cgroup file system, version 1 or 2.</param>
/// <param name="procRoot">The node's /proc.</param>
internal sealed class PodCgroups(string cgroupRoot, string procRoot)
{
    /// <summary>controller, kubepods (under a slice of its own in nested nodes), quality of service, pod, container.</summary>
    private const int DeepestPod = 5;

    /// <summary>The hierarchies of version 1 that list processes; version 2 has everything at the root.</summary>
    private static readonly string[] Controllers = ["pids", "memory", "systemd", "unified", "cpu,cpuacct", "cpu"];

    private static readonly string[] QualitiesOfService = ["burstable", "besteffort", "guaranteed"];

    /// <summary>The fast way by the directories of the pod; where these are not readable or number processes otherwise, by looking at each process.</summary>
    public IEnumerable<int> ProcessesOf(string uid)
    {
        string[] names = [$"pod{uid}", $"pod{uid.Replace('-', '_')}"];
        var found = Directory.Exists(cgroupRoot) ? PodDirectories(cgroupRoot, names, 0).SelectMany(ProcessesBelow).Where(p => p > 0).Distinct().ToList() : [];
        return found.Count > 0 ? found : Scan(names);
    }

    private static IEnumerable<string> PodDirectories(string directory, string[] names, int depth)
    {
        foreach (var child in Children(directory))
        {
            var name = Path.GetFileName(child);
            if (names.Any(n => IsPod(name, n)))
                yield return child;
            else if (depth < DeepestPod && (name.Contains("kube", StringComparison.Ordinal) || QualitiesOfService.Contains(name) || (depth == 0 && Controllers.Contains(name))))
            {
                foreach (var found in PodDirectories(child, names, depth + 1))
                    yield return found;
            }
        }
    }

    /// <summary>The uid must end where the name's part ends: one uid may begin with another.</summary>
    private static bool IsPod(string text, string name)
    {
        var at = text.IndexOf(name, StringComparison.Ordinal);
        return at >= 0 && (at + name.Length == text.Length || text[at + name.Length] is '.' or '/' or '\n');
    }

    private static IEnumerable<int> ProcessesBelow(string directory) =>
        ProcessesIn(directory).Concat(Children(directory).SelectMany(ProcessesBelow));

    private static IEnumerable<int> ProcessesIn(string directory) => ReadLines(Path.Combine(directory, "cgroup.procs"))
        .Select(l => int.TryParse(l, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : 0);

    private IEnumerable<int> Scan(string[] names)
    {
        foreach (var directory in Children(procRoot))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                && ReadLines(Path.Combine(directory, "cgroup")).Any(line => names.Any(n => IsPod(line, n))))
            {
                yield return id;
            }
        }
    }

    // Processes and groups come and go while we look.
    private static string[] ReadLines(string file)
    {
        try
        {
            return File.ReadAllLines(file);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static string[] Children(string directory)
    {
        try
        {
            return Directory.GetDirectories(directory);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
