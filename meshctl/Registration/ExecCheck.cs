using System.ComponentModel;
using System.Diagnostics;

namespace Mesh.Meshctl.Registration;

/// <summary>A check that is a program: exit code 0 is well. It runs here, never on the control plane.</summary>
internal static class ExecCheck
{
    /// <summary>Null: well. A program that takes longer than <paramref name="limit"/> is ended and counts as failed.</summary>
    public static async Task<string?> RunAsync(string[] program, TimeSpan limit, CancellationToken cancel)
    {
        if (program.Length == 0)
            return null;
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program[0], program[1..]) { UseShellExecute = false })!;
            using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            timer.CancelAfter(limit);
            try
            {
                await process.WaitForExitAsync(timer.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                cancel.ThrowIfCancellationRequested();
                return $"{program[0]} did not end within {Runtime.DurationText.Format(limit)}";
            }

            return process.ExitCode == 0 ? null : $"{program[0]} ended with {process.ExitCode}";
        }
        catch (Win32Exception e)
        {
            return $"{program[0]} cannot be run: {e.Message}";
        }
    }
}
