using System.Diagnostics;

using Mesh.Testing;

namespace Mesh.EndToEnd.Tests.Harness;

/// <summary>Who runs meshctl in a test.</summary>
/// <param name="Name">For messages.</param>
/// <param name="Prefix">Command line that becomes this user.</param>
/// <param name="IsRoot">Whether that user is root.</param>
public sealed record MeshUser(string Name, IReadOnlyList<string> Prefix, bool IsRoot)
{
    private static readonly string[] Needed = ["ip", "unshare", "nsenter", "setsid", "mount"];

    public static MeshUser Self { get; } = new("the user of the tests", [], Environment.IsPrivilegedProcess);

    /// <summary>User 65534 exists on every Linux, owns nothing and may nothing.</summary>
    public static MeshUser Unprivileged { get; } = Environment.IsPrivilegedProcess
        ? new("nobody", ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--", "env", "-u", "XDG_RUNTIME_DIR", "HOME=/nonexistent"], IsRoot: false)
        : Self;

    /// <summary>Why tests as this user cannot run here; null when they can.</summary>
    public static string? Missing(MeshUser user, params string[] tools)
    {
        if (Prerequisites.MissingTools([.. Needed, .. tools]) is { } missing)
            return missing;
        if (Prerequisites.FindTool("nft") is null && Prerequisites.FindTool("iptables") is null)
            return "not installed here: nft or iptables";
        if (!Succeeds([.. user.Prefix, "test", "-x", Repository.Program("meshctl")]))
            return $"{user.Name} cannot read this folder";
        IReadOnlyList<string> mapped = user.IsRoot ? [] : ["--user", "--map-root-user"];
        return Succeeds([.. user.Prefix, "unshare", .. mapped, "--net", "--mount", "--pid", "--fork", "--mount-proc", "true"]) ? null : $"{user.Name} may not make namespaces here";
    }

    private static bool Succeeds(IReadOnlyList<string> command)
    {
        var start = new ProcessStartInfo(command[0]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in command.Skip(1))
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
