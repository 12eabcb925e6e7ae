using System.Diagnostics;
using System.Text;

namespace Mesh.SideBySide;

/// <summary>Other programs, run to their end.</summary>
internal static class Tool
{
    /// <summary>Standard output. A program that fails or takes too long is an exception that names it.</summary>
    public static async Task<string> RunAsync(IReadOnlyList<string> command, string? input = null, TimeSpan? deadline = null)
    {
        var start = new ProcessStartInfo(command[0]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, UseShellExecute = false };
        foreach (var argument in command.Skip(1))
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start) ?? throw new BenchException($"{command[0]} did not start");
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        if (input is not null)
            await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        using var patience = new CancellationTokenSource(deadline ?? TimeSpan.FromSeconds(30));
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new BenchException($"'{Text(command)}' did not end in time");
        }

        var text = await output;
        return process.ExitCode == 0 ? text : throw new BenchException($"'{Text(command)}' ended with {process.ExitCode}: {(await error).Trim()} {text.Trim()}");
    }

    private static string Text(IReadOnlyList<string> command) => new StringBuilder().AppendJoin(' ', command).ToString();
}

/// <summary>The bench cannot go on; the message is for the person who started it.</summary>
internal sealed class BenchException(string message) : Exception(message);
