using System.Diagnostics;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Daemon;
using Mesh.Runtime;

namespace Mesh.Meshctl.Local;

/// <summary>Starts the daemon of a mesh inside fresh namespaces, and ends it.</summary>
/// <remarks>
/// The processes, outermost first: a shell that removes the state directory when the mesh ended in order; <c>unshare</c>, which owns the namespaces and whose
/// death kills everything inside; a shell as process 1 of the namespace, which adopts and reaps orphans and ends with the daemon; the daemon.
/// Whichever of the inner ones dies, and however, the kernel removes the rest: processes, links, mounts, rules.
/// </remarks>
internal static class MeshLauncher
{
    // $0 state directory, then unshare's command line. The directory is kept when the daemon failed or was killed: its log says why.
    private const string OuterScript =
        """
        sh -c 'echo $$ >"$0/pid" && exec "$@"' "$0" "$@"
        code=$?
        [ "$code" -ne 0 ] || { rm -rf -- "$0"; rmdir -- "${0%/*}" 2>/dev/null; }
        exit "$code"
        """;

    // $0 state directory, $1 temporary directory, then the daemon's command line. The state directory is reached through the working directory because it may lie beneath
    // /run, which from here on is a tmpfs of the mesh's own; mount must not make "." a path again, that would be the empty one.
    private const string InnerScript =
        """
        cd "$0" && mount --make-rprivate / && mount -t tmpfs -o mode=0755 mesh /run && mkdir -p /run/netns "$1" "$0" && mount --no-canonicalize --bind . "$0" && cd / || exit 71
        export TMPDIR="$1"
        shift
        "$@"
        exit $?
        """;

    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopDeadline = TimeSpan.FromSeconds(15);

    /// <summary>How to start this program again; "dotnet meshctl.dll" has another process path than the built program.</summary>
    public static IReadOnlyList<string> OwnCommand
    {
        get
        {
            var own = Environment.ProcessPath ?? throw new InvalidOperationException("the path of meshctl is not known");
            return Path.GetFileNameWithoutExtension(own) == "dotnet" ? [own, typeof(MeshLauncher).Assembly.Location] : [own];
        }
    }

    public static async Task UpAsync(StateDirectory state, DaemonOptions options, TimeProvider time, CancellationToken cancel)
    {
        var isRoot = Environment.IsPrivilegedProcess;
        await Prerequisites.CheckAsync(isRoot);
        if (!options.Bare)
            _ = Executables.Find();

        SweepDead();
        state.Create();
        using var starting = StateDirectory.TryLock(state.StartingFile)
            ?? throw new MeshctlException(ExitCodes.TemporaryFailure, $"another 'meshctl up' is just starting the mesh '{state.Name}': wait for it, or choose another --name.");
        if (state.IsUp)
            throw new MeshctlException(ExitCodes.CannotCreate, $"the mesh '{state.Name}' is already up: use it, take it down with 'meshctl down', or choose another --name.");
        foreach (var stale in (string[])[state.ProcessIdFile, state.FailureFile, state.ControlSocket])
            File.Delete(stale);

        using var process = Start(state, options, isRoot);
        try
        {
            await WaitUntilReadyAsync(state, process, time, cancel);
        }
        catch
        {
            await KillAsync(state, time);
            using (starting)
                state.Remove();
            throw;
        }
    }

    /// <summary>Asks the daemon to end; kills it when it does not. Afterwards nothing is left.</summary>
    public static async Task DownAsync(StateDirectory state, TimeProvider time)
    {
        if (state.IsUp)
        {
            try
            {
                await ControlClient.AskAsync<DoneReply>(state, new DownRequest());
                // The outermost shell removes the directory last of all.
                await WaitAsync(() => !Directory.Exists(state.Path), StopDeadline, time);
            }
            catch (MeshctlException)
            {
                // It does not answer: the kernel ends it below.
            }
        }

        await KillAsync(state, time);
        state.Remove();
    }

    /// <summary>Removes what crashed meshes left: their processes and namespaces are gone with them, only the directories stay.</summary>
    public static void SweepDead()
    {
        foreach (var other in StateDirectory.All())
        {
            try
            {
                using var free = other.IsUp ? null : StateDirectory.TryLock(other.StartingFile);
                if (free is not null && !(other.ReadProcessId() is { } pid && IsOurs(other, pid)))
                    other.Remove();
            }
            catch (IOException)
            {
                // Somebody else removes it at this moment.
            }
        }
    }

    private static Process Start(StateDirectory state, DaemonOptions options, bool isRoot)
    {
        var start = new ProcessStartInfo(Tool.Find("setsid") ?? "setsid") { WorkingDirectory = "/" };
        List<string> arguments = ["sh", "-c", "log=$1; script=$2; shift 2; exec sh -c \"$script\" \"$@\" </dev/null >>\"$log\" 2>&1", "start", state.DaemonLog, OuterScript, state.Path];
        arguments.AddRange(Prerequisites.Unshare(isRoot));
        arguments.AddRange(["sh", "-c", InnerScript, state.Path, MeshPaths.Temporary, .. OwnCommand, .. options.ToArguments()]);
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        return Process.Start(start) ?? throw new InvalidOperationException("the daemon did not start");
    }

    private static async Task WaitUntilReadyAsync(StateDirectory state, Process process, TimeProvider time, CancellationToken cancel)
    {
        var started = time.GetTimestamp();
        while (!File.Exists(state.ControlSocket))
        {
            if (process.HasExited || File.Exists(state.FailureFile))
                throw Failure(state);
            if (time.GetElapsedTime(started) > StartDeadline)
                throw new MeshctlException(ExitCodes.TemporaryFailure, $"the mesh did not come up within {StartDeadline.TotalSeconds:0} s: {LastLines(state.DaemonLog)}");
            await Task.Delay(TimeSpan.FromMilliseconds(20), time, cancel);
        }

        await ControlClient.AskAsync<StatusReply>(state, new StatusRequest(), cancel);
    }

    private static MeshctlException Failure(StateDirectory state)
    {
        if (File.Exists(state.FailureFile))
        {
            var lines = File.ReadAllText(state.FailureFile).Split('\n', 2);
            if (lines.Length == 2 && int.TryParse(lines[0], out var code))
                return new MeshctlException(code, lines[1].Trim());
        }

        return new MeshctlException(ExitCodes.OsError, $"the daemon of the mesh ended while starting: {LastLines(state.DaemonLog)}");
    }

    private static async Task KillAsync(StateDirectory state, TimeProvider time)
    {
        if (state.ReadProcessId() is not { } pid || !IsOurs(state, pid))
            return;
        try
        {
            using var process = Process.GetProcessById(pid);
            process.Kill();
        }
        catch (ArgumentException)
        {
            return;
        }

        await WaitAsync(() => !IsOurs(state, pid) && !state.IsUp, StopDeadline, time);
    }

    /// <summary>Process ids are reused: only an <c>unshare</c> that names this very directory is the owner of this mesh.</summary>
    private static bool IsOurs(StateDirectory state, int pid)
    {
        try
        {
            var arguments = File.ReadAllText($"/proc/{pid}/cmdline").Split('\0');
            return arguments.Contains(state.Path, StringComparer.Ordinal) && arguments.Contains("--kill-child", StringComparer.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static async Task WaitAsync(Func<bool> condition, TimeSpan deadline, TimeProvider time)
    {
        var started = time.GetTimestamp();
        while (!condition() && time.GetElapsedTime(started) < deadline)
            await Task.Delay(TimeSpan.FromMilliseconds(10), time);
    }

    private static string LastLines(string file) =>
        File.Exists(file) && File.ReadLines(file).Where(l => l.Trim().Length > 0).TakeLast(3).ToList() is { Count: > 0 } lines ? string.Join(" / ", lines) : "it wrote nothing.";
}
