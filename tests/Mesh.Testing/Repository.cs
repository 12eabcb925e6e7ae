namespace Mesh.Testing;

/// <summary>Where the built programs and the demo's documents are, seen from the test's own output folder.</summary>
public static class Repository
{
    public static string Root { get; } = FindRoot();

    public static string Documents => Path.Combine(Root, "deploy", "demo");

    /// <summary>The chart with its default values, as objects.</summary>
    public static string Manifest => Path.Combine(Root, "deploy", "kubernetes", "mesh.yaml");

    /// <summary>deploy/cni, of the same configuration as the test.</summary>
    public static string CniPlugin => Path.Combine(Root, "deploy", "cni", Output, "mesh-cni");

    /// <summary>bin/Release/net10.0, as the test's own.</summary>
    private static string Output => AppContext.BaseDirectory.TrimEnd('/').Split('/') is var own ? Path.Combine("bin", own[^2], own[^1]) : "";

    /// <summary>tests/X/bin/Release/net10.0/ -> ztunnel/bin/Release/net10.0/ztunnel</summary>
    public static string Program(string name) => Path.Combine(Root, name, Output, name);

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
