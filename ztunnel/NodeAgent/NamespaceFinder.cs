using System.Globalization;
using System.Net.NetworkInformation;
using Mesh.Net;

namespace Mesh.Ztunnel.NodeAgent;

/// <summary>The network namespace of a pod, or why there is none (yet).</summary>
internal readonly record struct FoundNamespace(NetworkNamespace? Namespace, string Reason);

/// <summary>
/// From a pod to its network namespace: the oldest process of the pod (the sandbox, whatever the runtime calls it) whose namespace is not the
/// node's own and owns one of the pod's addresses.
/// </summary>
/// <param name="procRoot">The node's /proc.</param>
internal sealed class NamespaceFinder(string procRoot, PodCgroups cgroups)
{
    /// <summary>proc(5): starttime is field 22 of stat, the 20th after the name in parentheses.</summary>
    private const int StartTimeAfterName = 19;

    public NamespaceFinder(string procRoot, string cgroupRoot)
        : this(procRoot, new PodCgroups(cgroupRoot, procRoot))
    {
    }

    /// <summary>The node's own: process 1 is never in a pod. Null where this process may not look at it.</summary>
    public NetworkNamespace? OpenNode() => Open(NamespaceOf(1));

    public FoundNamespace Find(NodePod pod)
    {
        if (pod.NamespacePath is { } given)
            return Open(given) is { } named ? new FoundNamespace(named, string.Empty) : new FoundNamespace(null, $"the network namespace {given} of pod {pod.Info} is not there");

        using var node = OpenNode();
        var processes = cgroups.ProcessesOf(pod.Uid).Select(id => (Id: id, Started: StartTime(id))).Where(p => p.Started is not null).OrderBy(p => p.Started).ToList();
        var seen = new HashSet<(ulong, ulong)>();
        var reason = $"no process of pod {pod.Info} (uid {pod.Uid}) runs on this node yet";
        foreach (var (id, _) in processes)
        {
            if (Open(NamespaceOf(id)) is not { } candidate)
                continue;
            if (!seen.Add(candidate.Id))
            {
                candidate.Dispose();
                continue;
            }
            if (candidate.Id == node?.Id)
                reason = $"pod {pod.Info} uses the node's own network: it cannot be captured";
            else if (Owns(candidate, pod))
                return new FoundNamespace(candidate, string.Empty);
            else
                reason = $"process {id} of pod {pod.Info} is in {candidate}, which has none of the pod's addresses {pod.Addresses} (yet)";
            candidate.Dispose();
        }
        return new FoundNamespace(null, reason);
    }

    private string NamespaceOf(int process) => Path.Combine(procRoot, process.ToString(CultureInfo.InvariantCulture), "ns", "net");

    private static NetworkNamespace? Open(string path)
    {
        try
        {
            return NetworkNamespace.Open(path);
        }
        catch (SocketFailureException)
        {
            return null;
        }
    }

    private long? StartTime(int process)
    {
        try
        {
            var stat = File.ReadAllText(Path.Combine(procRoot, process.ToString(CultureInfo.InvariantCulture), "stat"));
            // The name may itself contain spaces and parentheses.
            var fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return fields.Length > StartTimeAfterName && long.TryParse(fields[StartTimeAfterName], NumberStyles.None, CultureInfo.InvariantCulture, out var ticks) ? ticks : null;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool Owns(NetworkNamespace candidate, NodePod pod) => pod.Addresses.IsEmpty || candidate.Run(() => NetworkInterface.GetAllNetworkInterfaces()
        .SelectMany(i => i.GetIPProperties().UnicastAddresses)
        .Any(a => pod.Addresses.AsSpan().Contains(a.Address)));
}
