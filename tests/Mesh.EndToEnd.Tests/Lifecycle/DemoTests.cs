using System.Text.RegularExpressions;

using Mesh.EndToEnd.Tests.Harness;
using Mesh.Meshctl.Local;

namespace Mesh.EndToEnd.Tests.Lifecycle;

/// <summary>The main job as its users start it, by two users at once.</summary>
public sealed partial class DemoTests
{
    // The demo waits for an ejection of 60 s to end; alone and on a quiet machine it takes a minute and a half.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    private static readonly Dictionary<bool, string> Roots = new()
    {
        [true] = StateDirectory.DefaultRoot(),
        [false] = MeshUser.Unprivileged == MeshUser.Self ? StateDirectory.DefaultRoot() : StateDirectory.DefaultRoot(isRoot: false, runtimeDirectory: null, "nobody"),
    };

    [UnprivilegedMeshFact("nginx", "curl")]
    public async Task Demo_AsTwoUsersAtOnce_HoldsInEveryStepAndLeavesNothing()
    {
        using var own = Command.Start([.. MeshUser.Self.Prefix, Repository.Program("meshctl"), "demo"]);
        using var unprivileged = Command.Start([.. MeshUser.Unprivileged.Prefix, Repository.Program("meshctl"), "demo"]);
        foreach (var demo in (Command[])[own, unprivileged])
        {
            var result = (await demo.EndAsync(Patience)).Expect(0);
            Assert.DoesNotContain("FAIL", result.Output, StringComparison.Ordinal);
            Assert.Contains("12 of 12 hold", result.Output, StringComparison.Ordinal);

            // The demo names its mesh in its first line.
            var mesh = MeshName().Match(result.Output).Groups["name"].Value;
            Assert.NotEmpty(mesh);
            Assert.Empty(Leftovers.Processes(mesh));
            Assert.DoesNotContain($"/{mesh}/", await File.ReadAllTextAsync("/proc/self/mounts"), StringComparison.Ordinal);
            Assert.False(Directory.Exists(Path.Combine(Roots[demo == own], mesh)), $"the files of {mesh} are still there");
        }
    }

    [GeneratedRegex("^starting the mesh '(?<name>[^']+)'", RegexOptions.ExplicitCapture | RegexOptions.Multiline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex MeshName();
}
