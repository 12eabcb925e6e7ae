namespace Mesh.Meshctl.Local;

/// <summary>Command lines that enter a mesh, and a pod within it.</summary>
internal static class Namespaces
{
    // In a mount namespace of its own the program sees the pod's /etc/hosts and /etc/resolv.conf; nothing else of the file system differs.
    // $1 hosts, $2 resolv.conf, $3 working directory, then the program.
    private const string PodScript =
        """
        mount --bind "$1" /etc/hosts && { [ ! -e /etc/resolv.conf ] || mount --bind "$2" /etc/resolv.conf; } || exit 71
        cd "$3" 2>/dev/null || cd / || exit 71
        shift 3
        exec "$@"
        """;

    /// <summary>From the host into the namespaces of a mesh. The process becomes a member of its process namespace, so it dies with the mesh.</summary>
    public static IReadOnlyList<string> EnterMesh(int processId, bool isRoot)
    {
        List<string> command = [Tool.Find("nsenter") ?? "nsenter"];
        if (!isRoot)
            command.AddRange([$"--user=/proc/{processId}/ns/user", "--preserve-credentials"]);
        // unshare itself stays outside the process namespace that it made; its children are inside.
        command.AddRange([$"--mount=/proc/{processId}/ns/mnt", $"--pid=/proc/{processId}/ns/pid_for_children", "--"]);
        return command;
    }

    /// <summary>Inside the mesh: a program in a network namespace.</summary>
    public static IReadOnlyList<string> EnterNetwork(string networkNamespace) =>
        [Tool.Find("nsenter") ?? "nsenter", $"--net={networkNamespace}", "--"];

    /// <summary>Inside the mesh: a program as part of a pod.</summary>
    public static IReadOnlyList<string> EnterPod(string networkNamespace, string hosts, string resolver, string workingDirectory) =>
    [
        .. EnterNetwork(networkNamespace),
        Tool.Find("unshare") ?? "unshare", "--mount", "--propagation", "private", "--",
        "sh", "-c", PodScript, "pod", hosts, resolver, workingDirectory,
    ];
}
