using System.Diagnostics;

namespace Mesh.Meshctl.Local;

/// <summary>What a finished tool left: exit code and both outputs.</summary>
internal readonly record struct ToolResult(int ExitCode, string Output, string Errors)
{
    public bool Ok => ExitCode == 0;

    /// <summary>The tool's own words, for a message.</summary>
    public string Reason => (Errors.Length > 0 ? Errors : Output).Trim().ReplaceLineEndings("; ");
}

/// <summary>Runs the system's tools (ip, nsenter, unshare, sh). Arguments are never put together as text.</summary>
internal static class Tool
{
    public static async Task<ToolResult> RunAsync(IReadOnlyList<string> command, string? input = null, IReadOnlyDictionary<string, string?>? environment = null, CancellationToken cancel = default)
    {
        var start = new ProcessStartInfo(command[0])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in command.Skip(1))
            start.ArgumentList.Add(argument);
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
            start.Environment[name] = value;

        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{command[0]} did not start");
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancel);
            var errors = process.StandardError.ReadToEndAsync(cancel);
            if (input is not null)
                await process.StandardInput.WriteAsync(input.AsMemory(), cancel);
            process.StandardInput.Close();
            await process.WaitForExitAsync(cancel);
            return new ToolResult(process.ExitCode, await output, await errors);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <summary>Full path of a tool, or null. The sbin folders are searched too: they are not on every user's PATH, yet ip and nft live there.</summary>
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Concat(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"])
            .Select(directory => Path.Combine(directory, name))
            .FirstOrDefault(File.Exists);
}
