using System.Diagnostics;

using Mesh.Meshctl.Local;

namespace Mesh.Meshctl.Daemon;

/// <summary>Ends processes politely first. Only ever called with processes of this mesh: the daemon's process namespace holds no others.</summary>
internal static class ProcessEnd
{
    public static async Task StopAsync(Process process, TimeSpan grace, TimeProvider time)
    {
        await SignalAsync("TERM", [process.Id]);
        using var deadline = new CancellationTokenSource(grace, time);
        try
        {
            await process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
        }
    }

    /// <summary>Everything that runs in a network namespace: the program of the pod, what it started, and what <c>exec</c> brought in.</summary>
    public static async Task StopAllInAsync(string networkNamespacePath, TimeSpan grace, TimeProvider time)
    {
        var link = await NamespaceIdAsync(networkNamespacePath);
        if (link is null)
            return;
        var members = MembersOf(link);
        if (members.Count == 0)
            return;
        await SignalAsync("TERM", members);
        var started = time.GetTimestamp();
        while (time.GetElapsedTime(started) < grace && MembersOf(link).Count > 0)
            await Task.Delay(TimeSpan.FromMilliseconds(20), time);
        var left = MembersOf(link);
        if (left.Count > 0)
            await SignalAsync("KILL", left);
    }

    private static Task SignalAsync(string signal, IEnumerable<int> processes) =>
        // The shell's own kill: /bin/kill is not on every machine.
        Tool.RunAsync(["sh", "-c", "kill -s \"$0\" -- \"$@\"", signal, .. processes.Select(p => $"{p}")]);

    private static async Task<string?> NamespaceIdAsync(string path)
    {
        var inode = await Tool.RunAsync(["stat", "-L", "-c", "%i", path]);
        return inode.Ok ? $"net:[{inode.Output.Trim()}]" : null;
    }

    private static List<int> MembersOf(string namespaceLink)
    {
        List<int> members = [];
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(directory), out var pid))
                continue;
            try
            {
                if (new FileInfo($"{directory}/ns/net").LinkTarget == namespaceLink)
                    members.Add(pid);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Ended meanwhile, or not ours to look at.
            }
        }

        return members;
    }
}
