using CommandLine;

using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

[Verb("down", HelpText = "End a mesh; nothing of it stays.")]
internal sealed class DownOptions : MeshOptions
{
    [Option("all", HelpText = "Every mesh of this user.")]
    public bool All { get; set; }
}

internal static class DownCommand
{
    public static async Task<int> RunAsync(DownOptions options, TimeProvider time)
    {
        var states = options.All ? StateDirectory.All().ToList() : [options.State];
        foreach (var state in states)
        {
            var was = Directory.Exists(state.Path);
            var up = state.IsUp;
            await MeshLauncher.DownAsync(state, time);
            Console.WriteLine(
                up ? $"the mesh '{state.Name}' is down"
                : was ? $"the mesh '{state.Name}' had ended already; what it left is removed"
                : $"the mesh '{state.Name}' was not up");
        }

        return ExitCodes.Ok;
    }
}
