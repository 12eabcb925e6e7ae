namespace Mesh.EndToEnd.Tests.Harness;

/// <summary>Where the built programs and the demo's documents are, seen from the test's own output folder.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    public static string Documents => Path.Combine(Root, "deploy", "demo");

    /// <summary>tests/X/bin/Release/net10.0/ -> ztunnel/bin/Release/net10.0/ztunnel</summary>
    public static string Program(string name)
    {
        var own = AppContext.BaseDirectory.TrimEnd('/').Split('/');
        return Path.Combine(Root, name, "bin", own[^2], own[^1], name);
    }

    /// <summary>One of the small programs that play client and server.</summary>
    public static string Script(string name) => Path.Combine(AppContext.BaseDirectory, "Programs", name);

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Mesh.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException($"no Mesh.sln above {AppContext.BaseDirectory}");
    }
}
