using System.Reflection;
using System.Runtime.InteropServices;

using CommandLine;

using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

[Verb("version", HelpText = "Version of this build.")]
internal sealed class VersionOptions;

internal static class VersionCommand
{
    public static Task<int> RunAsync()
    {
        var version = typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
        Console.WriteLine($"meshctl {version} ({RuntimeInformation.FrameworkDescription})");
        return Task.FromResult(ExitCodes.Ok);
    }
}
