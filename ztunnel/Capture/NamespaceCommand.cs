using System.Diagnostics;
using Mesh.Net;

namespace Mesh.Ztunnel.Capture;

internal readonly record struct CommandOutcome(int ExitCode, string Output, string Errors);

/// <summary>A program of the node, run inside a network namespace.</summary>
internal static class NamespaceCommand
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    public static bool Exists(string tool) => (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(':')
        .Concat(["/usr/sbin", "/sbin"]).Any(folder => File.Exists(Path.Combine(folder, tool)));

    /// <summary>Throws where the program fails.</summary>
    /// <param name="mayFail">What it takes out may not be there.</param>
    public static async Task RunAsync(NetworkNamespace network, string tool, string[] arguments, string? input, bool mayFail = false)
    {
        var (exitCode, _, errors) = await TryAsync(network, tool, arguments, input);
        if (exitCode != 0 && !mayFail)
            throw new CaptureException($"'{tool} {string.Join(' ', arguments)}' failed in the network namespace {network} with exit code {exitCode}: {string.Join("; ", errors.Split('\n', StringSplitOptions.RemoveEmptyEntries))}");
    }

    public static async Task<CommandOutcome> TryAsync(NetworkNamespace network, string tool, string[] arguments, string? input = null)
    {
        var start = new ProcessStartInfo(tool, arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        Process process;
        try
        {
            process = network.StartProcess(start);
        }
        catch (System.ComponentModel.Win32Exception failure)
        {
            throw new CaptureException($"'{tool}' cannot be started ({failure.Message}): install it, or set ZTUNNEL_CAPTURE_RULES=off and let the node's agent write the rules");
        }
        using var owned = process;
        using var deadline = new CancellationTokenSource(Deadline);
        try
        {
            var errors = process.StandardError.ReadToEndAsync(deadline.Token);
            var output = process.StandardOutput.ReadToEndAsync(deadline.Token);
            if (input is not null)
                await process.StandardInput.WriteAsync(input.AsMemory(), deadline.Token);
            process.StandardInput.Close();
            await process.WaitForExitAsync(deadline.Token);
            return new CommandOutcome(process.ExitCode, await output, await errors);
        }
        catch (IOException) when (process.HasExited)
        {
            return new CommandOutcome(process.ExitCode, string.Empty, "it ended before it had read what to do");
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw new CaptureException($"'{tool}' did not finish within {Deadline.TotalSeconds:0} s in the network namespace {network}");
        }
    }
}

/// <summary>The rules could not be brought into the wanted state; the message says which command and why.</summary>
internal sealed class CaptureException(string message) : Exception(message);
