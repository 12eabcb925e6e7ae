using Mesh.Runtime;

namespace Mesh.Meshctl.Local;

/// <summary>What the machine must offer, checked before anything is made. Each lack is one sentence that says what to do.</summary>
internal static class Prerequisites
{
    private static readonly (string Tool, string Package)[] Tools =
        [("ip", "iproute2"), ("unshare", "util-linux"), ("nsenter", "util-linux"), ("setsid", "util-linux"), ("mount", "mount")];

    public static async Task CheckAsync(bool isRoot)
    {
        foreach (var (tool, package) in Tools)
        {
            if (Tool.Find(tool) is null)
                throw new MeshctlException(ExitCodes.Unavailable, $"the tool '{tool}' is missing: install the package {package} (Debian: apt-get install {package}).");
        }

        if (Tool.Find("nft") is null && Tool.Find("iptables") is null)
            throw new MeshctlException(ExitCodes.Unavailable, "neither 'nft' nor 'iptables' is there, and capture needs one of them: install nftables (Debian: apt-get install nftables).");

        var probe = await Tool.RunAsync([.. Unshare(isRoot), "true"]);
        if (!probe.Ok)
        {
            throw new MeshctlException(ExitCodes.Permission, isRoot
                ? $"namespaces cannot be made here ({probe.Reason}): this root lacks CAP_SYS_ADMIN, start the container with --privileged or use another machine."
                : $"unprivileged user namespaces are not allowed here ({probe.Reason}): run as root, or allow them with 'sysctl -w user.max_user_namespaces=10000' and, where they exist, kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0.");
        }
    }

    /// <summary>New user (unless root), network, mount and process namespaces whose first process dies with <c>unshare</c>.</summary>
    public static IReadOnlyList<string> Unshare(bool isRoot)
    {
        List<string> command = [Tool.Find("unshare") ?? "unshare"];
        if (!isRoot)
            command.AddRange(["--user", "--map-root-user"]);
        command.AddRange(["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]);
        return command;
    }
}
