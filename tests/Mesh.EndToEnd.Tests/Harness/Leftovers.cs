namespace Mesh.EndToEnd.Tests.Harness;

/// <summary>What the machine holds that a mesh could have left: links, namespaces, mounts, rules, processes, files.</summary>
internal sealed record Leftovers(string Links, string Namespaces, string Mounts, string Rules)
{
    public static async Task<Leftovers> TakeAsync() => new(
        string.Join('\n', Directory.EnumerateDirectories("/sys/class/net").Order(StringComparer.Ordinal)),
        string.Join('\n', Directory.Exists("/run/netns") ? Directory.GetFiles("/run/netns").Order(StringComparer.Ordinal) : Enumerable.Empty<string>()),
        await File.ReadAllTextAsync("/proc/self/mounts"),
        // Without nft, or without the right to look, there is nothing to compare.
        Mesh.Testing.Prerequisites.FindTool("nft") is { } nft ? (await Command.RunAsync([nft, "list", "ruleset"])).Output : string.Empty);

    /// <summary>Processes that name the mesh on their command line or run inside one of its namespaces.</summary>
    public static IReadOnlyList<string> Processes(string meshName)
    {
        List<string> found = [];
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(directory), out _))
                continue;
            try
            {
                var line = File.ReadAllText(Path.Combine(directory, "cmdline")).Replace('\0', ' ');
                if (line.Contains($"/{meshName}", StringComparison.Ordinal) || line.Contains($"--name {meshName} ", StringComparison.Ordinal))
                    found.Add(line);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It ended while we looked.
            }
        }

        return found;
    }

    /// <summary>Nothing of a mesh is there any more, and the machine is as it was.</summary>
    public static async Task AssertNothingOfAsync(TestMesh mesh, Leftovers before)
    {
        await Wait.UntilAsync(() => Processes(mesh.Name).Count == 0, () => $"the end of: {string.Join(" | ", Processes(mesh.Name))}");
        Assert.False(Directory.Exists(mesh.StatePath), $"{mesh.StatePath} is still there");
        Assert.Equal(before, await TakeAsync());
    }
}
