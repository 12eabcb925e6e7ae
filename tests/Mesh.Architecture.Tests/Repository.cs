namespace Mesh.Architecture.Tests;

/// <summary>The checkout these tests stand in, read as text.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    /// <summary>Hand-written C# files, repository-relative with forward slashes.</summary>
    public static IReadOnlyList<string> SourceFiles { get; } = Files("*.cs");

    public static IReadOnlyList<string> Projects { get; } = Files("*.csproj");

    public static string Read(string relative) => File.ReadAllText(Path.Combine(Root, relative));

    public static bool Exists(string relative)
    {
        var full = Path.Combine(Root, relative);
        return File.Exists(full) || Directory.Exists(full);
    }

    public static bool IsProduct(string relative) =>
        !relative.StartsWith("tests/", StringComparison.Ordinal) && !relative.StartsWith("bench/", StringComparison.Ordinal);

    public static List<string> Files(string pattern) =>
        [.. Directory.EnumerateFiles(Root, pattern, SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(Root, f).Replace('\\', '/'))
            .Where(f => !f.Split('/').Any(part => part is "bin" or "obj" or ".git" or "node_modules" or "artifacts"))
            .Order(StringComparer.Ordinal)];

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Mesh.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("no Mesh.sln above the test assembly: run the tests from a checkout");
    }
}
