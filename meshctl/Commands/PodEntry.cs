using System.Diagnostics;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

/// <summary>Starts a program inside a pod from outside the mesh: it keeps this terminal, this standard input and output, and its exit code is ours.</summary>
internal static class PodEntry
{
    public static async Task<int> RunAsync(StateDirectory state, PodReply pod, IReadOnlyList<string> program)
    {
        var command = Command(state, pod, program);
        var start = new ProcessStartInfo(command[0]);
        foreach (var argument in command.Skip(1))
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{program[0]} did not start");

        // A Ctrl-C reaches the program through the terminal; only a signal sent to meshctl alone has to be passed on.
        using var signals = Signals.Listen(signal => { if (signal == "SIGTERM") process.Kill(entireProcessTree: true); }, leaveNow: () => { });
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    public static IReadOnlyList<string> Command(StateDirectory state, PodReply pod, IReadOnlyList<string> program)
    {
        var owner = state.ReadProcessId() ?? throw new MeshctlException(ExitCodes.Unavailable, $"the mesh '{state.Name}' is going down.");
        return
        [
            .. Namespaces.EnterMesh(owner, Environment.IsPrivilegedProcess),
            .. Namespaces.EnterPod(pod.NetworkNamespace, pod.Hosts, pod.Resolver, Environment.CurrentDirectory),
            .. program,
        ];
    }
}
