using System.Diagnostics;

using CommandLine;

using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

// The control plane is the one that knows documents: these commands are its own, so that both always say the same. Options are read there.
[Verb("validate", HelpText = "Says of each document of files or folders ('-': standard input) whether a mesh accepts it.")]
internal sealed class ValidateOptions;

[Verb("translate", HelpText = "Prints what ztunnels and waypoints would be sent; with --diff OLD NEW what would change for whom.")]
internal sealed class TranslateOptions;

[Verb("analyze", HelpText = "Looks for what is valid in documents but probably not meant.")]
internal sealed class AnalyzeOptions;

/// <summary>Commands that istiod-lite answers.</summary>
internal static class DocumentCommands
{
    public static bool Answers(string[] arguments) => arguments is ["validate" or "translate" or "analyze", ..];

    /// <summary>Runs it with our own input and outputs; its exit code is ours.</summary>
    public static async Task<int> RunAsync(string[] arguments)
    {
        var start = new ProcessStartInfo(Executables.FindIstiodLite(), arguments) { UseShellExecute = false };
        using var process = Process.Start(start) ?? throw new MeshctlException(ExitCodes.Unavailable, $"{start.FileName} did not start.");
        // Ctrl-C reaches it by itself: both are of one process group.
        await process.WaitForExitAsync();
        return process.ExitCode;
    }
}
