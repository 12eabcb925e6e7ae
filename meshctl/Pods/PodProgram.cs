using System.Diagnostics;
using System.Globalization;

using Mesh.Meshctl.Local;

namespace Mesh.Meshctl.Pods;

/// <summary>Starts a pod's program inside it, output into the pod's log, and knows when it listens.</summary>
internal static class PodProgram
{
    // A session of its own, and its output straight into the file: the daemon is not a pipe between a program and its log.
    private const string Script = "exec \"$@\" </dev/null >>\"$0\" 2>&1";

    public static IReadOnlyList<string> Command(Pod pod, IReadOnlyList<string> program) =>
    [
        Tool.Find("setsid") ?? "setsid", "sh", "-c", Script, pod.Log,
        .. Namespaces.EnterPod(pod.NetworkNamespacePath, pod.Hosts, pod.Resolver, pod.Request.WorkingDirectory), .. program,
    ];

    public static Process Start(Pod pod)
    {
        var command = Command(pod, pod.Request.Program);
        var start = new ProcessStartInfo(command[0]);
        foreach (var argument in command.Skip(1))
            start.ArgumentList.Add(argument);
        if (pod.Request.Environment.Count > 0)
            start.Environment.Clear();
        foreach (var (name, value) in pod.Request.Environment)
            start.Environment[name] = value;
        return Process.Start(start) ?? throw new InvalidOperationException($"{pod.Key} did not start");
    }

    /// <summary>Waits until something in the pod listens on the port; false when the program ended or the deadline passed first.</summary>
    public static async Task<bool> WaitUntilListeningAsync(Process program, int port, TimeSpan deadline, TimeProvider time, CancellationToken cancel)
    {
        var started = time.GetTimestamp();
        while (time.GetElapsedTime(started) < deadline && !program.HasExited)
        {
            if (Listens(program.Id, port))
                return true;
            await Task.Delay(TimeSpan.FromMilliseconds(20), time, cancel);
        }

        return false;
    }

    /// <summary>The socket table is read rather than the port dialled: a probe connection would be the program's first client.</summary>
    private static bool Listens(int processId, int port)
    {
        var suffix = ":" + port.ToString("X4", CultureInfo.InvariantCulture);
        foreach (var table in (string[])["tcp", "tcp6"])
        {
            try
            {
                foreach (var line in File.ReadLines($"/proc/{processId}/net/{table}").Skip(1))
                {
                    // sl local_address rem_address st ...; state 0A is LISTEN (include/net/tcp_states.h).
                    var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                    if (fields.Length > 3 && fields[3] == "0A" && fields[1].EndsWith(suffix, StringComparison.Ordinal))
                        return true;
                }
            }
            catch (IOException)
            {
                return false;
            }
        }

        return false;
    }
}
